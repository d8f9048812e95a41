"""Command lines become configurations; what Hydra cannot compose is named before anything is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.config.command_line import report_errors
from src.config.compose import composition_errors, expand_groups
from tests.unit.examples import config, plain

ROOT = Path(__file__).resolve().parents[3]


def message(capsys: pytest.CaptureFixture[str], command: str) -> str:
    """What a wrong command line prints; its exit code is 2."""

    def compose() -> int:
        with composition_errors():
            config(*command.split())
        return 0

    code = report_errors(compose)
    printed = capsys.readouterr()
    assert code == 2 and printed.out == ""
    return printed.err


# ----------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("training.epoch=3", ["'training.epoch'", "did you mean 'epochs'", "batch_size"]),
        ("traning.epochs=3", ["'traning'", "did you mean 'training'"]),
        ("optmizer=sgd", ["'optmizer'", "did you mean 'optimizer'"]),
        ("activation=rleu", ["no activation 'rleu'", "did you mean 'relu'", "softplus"]),
        ("data=npz", ["data.path", "needs a value"]),
        ("training.epochs", ["training.epochs", "key=value"]),
        ("training.epochs=${foo}", ["training.epochs", "foo"]),
        (
            "search.space.architecture.kernl.choice=[3]",
            ["search.space.architecture.kernl", "did you mean 'kernel'", "+"],
        ),
        ("+search.space.activation.choice=[relu,tnah]", ["search.space.activation", "'tnah'", "did you mean 'tanh'"]),
        ("search.start={a:1}", ["search.start is a list: write it as search.start=[{a:1}]."]),
        ("search.constraints={a:1}", ["search.constraints is a list", "[a,b]"]),
        ("search.space.architecture.kernel=[3,5]", ["search.space.architecture.kernel", "{'choice': [3, 5]}"]),
        ("training.epochs=1,2", ["several values", "training.epochs=[1,2]", "-m training.epochs=1,2"]),
        ("activation=relu,tanh", ["would mix these", "search.space.activation.choice=[relu,tanh]"]),
        ("training.epochs=(3", ["training.epochs=(3 cannot be read: a bracket is not closed"]),
        ("~search.seed.x", ["~search.seed.x: there is no such key"]),
        ("+training.epochs=3", ["a key 'training.epochs' already", "leave the + out"]),
        ("++data=null", ["a key 'data' already", "leave the + out"]),
        ("experiment=../x", ["no experiment '../x'; known here: cnn_5x5"]),
        ("training=[tiny]", ["no training 'tiny'; known here: default"]),
    ],
)
def test_a_mistake_is_named(capsys: pytest.CaptureFixture[str], command: str, words: list[str]) -> None:
    """One message gives the key, the value, what is allowed and the nearest name; the exit code is 2."""
    said = message(capsys, command)
    assert said.startswith("error: ") and [word for word in words if word not in said] == []


AS_PROGRAM = """
import atexit, pathlib, runpy, sys
modules = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: modules.write_text(" ".join(sys.modules)))
runpy.run_module("src.sweep", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    "command",
    [
        *("training.epoch=3", "activation=rleu", "training.epochs=0", "architecture=3", "=3", "data=null"),
        *("search.space={}", "search.rung=3", "search.start={}"),
    ],
)
def test_a_mistake_is_answered_before_anything_is_loaded(tmp_path: Path, command: str) -> None:
    """The program itself: one message, exit code 2, no TensorFlow, no MLflow, nothing written."""
    modules = tmp_path.with_suffix(".modules")
    done = subprocess.run(
        [sys.executable, "-c", AS_PROGRAM, str(modules), command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    imported = {name.partition(".")[0] for name in modules.read_text().split()}
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert "hydra" in imported and not imported & {"tensorflow", "keras", "keras_tuner", "mlflow"}
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------------- groups


def test_a_group_choice_becomes_its_files() -> None:
    """The names of options in a space are replaced by what their files say."""
    values = plain("+search.space.activation.choice=[elu,tanh]")
    assert values["search"]["space"]["activation"]["choice"] == [{"name": "elu", "alpha": 1.0}, {"name": "tanh"}]


def test_a_choice_of_whole_groups_may_be_written_out() -> None:
    """What is no name stays as it is."""
    values = {"search": {"space": {"activation": {"choice": [{"name": "elu", "alpha": 2.0}]}}}}
    expand_groups(values)
    assert values == {"search": {"space": {"activation": {"choice": [{"name": "elu", "alpha": 2.0}]}}}}
