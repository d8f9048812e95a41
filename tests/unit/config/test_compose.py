"""Mistakes are named before anything is loaded; a sweep's name follows from what decides its results."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from src.base.errors import UserError
from src.base.hashing import fingerprint
from src.config.compose import expand_groups, refuse_several, report_errors, validate
from src.config.identity import differences, fill_in, identity, validate_trial
from tests.unit.examples import SPACE, config, plain

ROOT = Path(__file__).resolve().parents[2]


def message(capsys: pytest.CaptureFixture[str], command: str) -> str:
    """What a wrong command line prints; its exit code is 2."""
    code = report_errors(lambda: bool(validate(plain(*command.split()))) and 0)
    printed = capsys.readouterr()
    assert code == 2 and printed.out == ""
    return printed.err


# ----------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("training.epoch=3", ["'training.epoch'", "did you mean 'epochs'", "batch_size"]),
        ("+training.epoch=3", ["training.epoch", "did you mean 'epochs'"]),
        ("traning.epochs=3", ["'traning'", "did you mean 'training'"]),
        ("optmizer=sgd", ["'optmizer'", "did you mean 'optimizer'"]),
        ("activation=rleu", ["no activation 'rleu'", "did you mean 'relu'", "softplus"]),
        ("architecture.name=rnn", ["architecture.name=rnn", "'cnn', 'dnn'"]),
        ("training.precision=float16", ["training.precision=float16", "float32", "mixed_bfloat16"]),
        ("training.epochs=0", ["training.epochs=0", "1"]),
        ("training.epochs=abc", ["training.epochs=abc", "integer"]),
        ("training.epochs=2.5", ["training.epochs=2.5", "integer"]),
        ("data.validation=1.5", ["data.validation=1.5", "less than 1"]),
        ("optimizer.learning_rate=nan", ["optimizer.learning_rate", "finite"]),
        ("checkpoints.keep=some", ["checkpoints.keep=some", "integer", "'all'"]),
        ("architecture.padding=[same,vald]", ["architecture.padding", "vald", "'same' or 'valid'"]),
        ("data=npz", ["data.path", "needs a value"]),
        ("~training.epochs", ["training.epochs", "absent"]),
        ("name=../elsewhere", ["name=../elsewhere"]),
        ("training.epochs", ["training.epochs", "key=value"]),
        ("+search.space.activation.choice=[relu,tnah]", ["search.space.activation", "'tnah'", "did you mean 'tanh'"]),
        ("search.space=null", ["search.space=null", "dictionary"]),
        ("search.target=99", ["search.target=99", "from 0 to 1"]),
        ("search=cnn_top_k search.rung=10", ["search.rung=10", "training.epochs=10", "lower search.rung"]),
    ],
)
def test_a_mistake_is_named(capsys: pytest.CaptureFixture[str], command: str, words: list[str]) -> None:
    """One message gives the key, the value, what is allowed and the nearest name; the exit code is 2."""
    said = message(capsys, command)
    assert said.startswith("error: ") and [word for word in words if word not in said] == []


def test_several_of_a_group_are_refused() -> None:
    """`activation=[relu,tanh]`, of which Hydra makes one, is answered by what may be meant."""
    with pytest.raises(UserError, match=r"search\.space\.activation\.choice=\[relu,tanh\].*-m activation=relu,tanh"):
        refuse_several(["training.epochs=3", "activation=[relu,tanh]"])
    with pytest.raises(UserError, match=r"choose one of them, or run one after the other \(-m data=npz,mnist_5k\)"):
        refuse_several(["data=[npz,mnist_5k]"])
    assert refuse_several(["architecture.filters=[8,16]", "activation=relu", "activation=[relu]", "=[a,b]"]) == 0


def test_all_mistakes_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Two wrong values make one message with a line for each."""
    lines = message(capsys, "training.epochs=0 training.batch_size=-1").splitlines()
    assert ["training.epochs=0" in lines[0], "training.batch_size=-1" in lines[1]] == [True, True]


@pytest.mark.parametrize(
    "command",
    ["search.space=3", "search.space=null"],
)
def test_odd_mistakes_have_no_traceback(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A number or null where a group or a space belongs is a mistake as any other."""
    assert message(capsys, command).startswith("error: ")


def test_a_wrong_interpolation_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A reference to a key that does not exist names that reference."""
    assert "foo" in message(capsys, "training.epochs=${foo}")


def test_infinity_is_no_learning_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """An infinite learning rate is refused."""
    assert "optimizer.learning_rate" in message(capsys, "optimizer.learning_rate=inf")


@pytest.mark.parametrize("command", ["training.epoch=3", "activation=rleu", "training.epochs=0", "architecture=3"])
def test_a_mistake_costs_a_second(tmp_path: Path, command: str) -> None:
    """The program itself: one message, exit code 2, no TensorFlow, no MLflow, nothing written, under 2 s."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "src.sweep", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert (done.returncode, done.stdout, len(said)) == (2, "", 1), said
    assert "hydra" in imported and not imported & {"tensorflow", "keras", "keras_tuner", "mlflow"}
    assert list(tmp_path.iterdir()) == []
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 2  # whatever else the machine does


# ----------------------------------------------------------------------------------------- identity


def name_of(*overrides: str) -> str:
    """The fingerprint of what a command line composes, on the same data."""
    return fingerprint(identity(config(*overrides), "digest"))


@pytest.mark.parametrize(
    "amount",
    [
        "search.max_trials=3",
        "search.max_seconds=60",
        "search.retries=5",
        "search.retry_failed=true",
        "training.epochs=3",
        "workers.count=2",
        "tracking=none",
        "tracking.keep=3",
        "paths.sweeps=elsewhere",
        "checkpoints.keep=3",
        "resume.steal=true",
        "preview=true",
        "name=mine",
    ],
)
def test_amounts_are_no_identity(amount: str) -> None:
    """How much is done, where, and by whom does not make another sweep."""
    assert name_of(amount) == name_of()


@pytest.mark.parametrize(
    "key",
    [
        "data.seed=1",
        "data.validation=0.2",
        "architecture=dnn",
        "architecture.kernel=5",
        "activation=tanh",
        "activation.negative_slope=0.1",
        "optimizer=sgd",
        "optimizer.learning_rate=0.002",
        "schedule=exponential",
        "training.batch_size=32",
        "training.threads=2",
        "training.precision=mixed_bfloat16",
        "training.early_stopping.patience=3",
        "training.reduce_lr.patience=3",
        "search.name=other",
        "search.strategy=random",
        "search.objective=val_loss",
        "search.seed=1",
        "search.space.architecture.kernel.choice=[3]",
    ],
)
def test_what_decides_results_is_identity(key: str) -> None:
    """Each key that decides results makes another sweep."""
    assert name_of(key) != name_of()


def test_the_data_itself_is_identity() -> None:
    """Other images are another sweep; the same file elsewhere is the same one."""
    here, there = (config("data=npz", f"data.path={path}") for path in ("a.npz", "b.npz"))
    assert identity(here, "1") == identity(there, "1") != identity(here, "2")


def test_one_for_all_is_told_from_one_for_each() -> None:
    """A space over the number of blocks goes on differently from 32 and from [32,32], so they are two sweeps."""
    assert name_of("architecture.filters=32") != name_of("architecture.filters=[32,32]")
    assert name_of("architecture.filters=32") == name_of("architecture.filters=32", "search.max_trials=3")


def test_a_key_that_came_later_changes_nothing() -> None:
    """`training.epoch_size` did not exist at first: as long as it is null, sweeps and points are what they were."""
    config_of = config()
    assert "epoch_size" not in identity(config_of, "digest")["training"]
    assert name_of("training.epoch_size=null") == name_of() != name_of("training.epoch_size=100")
    canonical = validate_trial(config_of.model_dump())
    assert "epoch_size" not in canonical["training"] and fill_in(canonical)["training"]["epoch_size"] is None


@pytest.mark.parametrize("command", ["schedule=cosine", "+search.space.schedule.choice=[constant,cosine]"])
def test_epochs_are_identity_where_a_cosine_depends_on_them(command: str) -> None:
    """With a cosine in it, or among its choices, more epochs are another sweep."""
    assert name_of(command) != name_of(command, "training.epochs=20")


def test_a_group_choice_becomes_its_files() -> None:
    """The names of options in a space are replaced by what their files say."""
    values = plain("+search.space.activation.choice=[elu,tanh]")
    assert values["search"]["space"]["activation"]["choice"] == [{"name": "elu", "alpha": 1.0}, {"name": "tanh"}]


def test_a_choice_of_whole_groups_may_be_written_out() -> None:
    """What is no name stays as it is."""
    values = {"search": {"space": {"activation": {"choice": [{"name": "elu", "alpha": 2.0}]}}}}
    expand_groups(values)
    assert values == {"search": {"space": {"activation": {"choice": [{"name": "elu", "alpha": 2.0}]}}}}


def test_a_group_without_a_name_has_an_identity() -> None:
    """A choice of a schedule without its name is infeasible later, but no traceback here."""
    space = {"schedule": {"choice": [{"warmup_epochs": 1}]}}
    assert identity(config(space=space), "digest")["search"]["space"] == space


def test_validate_trial_says_what_is_wrong() -> None:
    """A point's misfit is one line that names the keys."""
    values = plain("optimizer=sgd")
    values["architecture"]["filters"] = [1, 2, 3]
    values["optimizer"]["nesterov"] = True
    with pytest.raises(UserError, match=r"3 values of filters for 2 blocks.*; .*nesterov=true needs momentum"):
        validate_trial(values)


def test_differences() -> None:
    """Keys that differ come dotted, with both values; an absent key counts as None."""
    old = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert differences(old, {"a": {"b": 2, "c": [1, 2]}, "e": 3}) == {"a.b": (1, 2), "d": (1, None), "e": (None, 3)}


def test_a_fingerprint_does_not_know_the_order_of_keys() -> None:
    """Equal contents have equal fingerprints, however they are ordered."""
    assert fingerprint({"a": 1, "b": SPACE}) == fingerprint({"b": SPACE, "a": 1}) != fingerprint({"a": 2, "b": SPACE})
