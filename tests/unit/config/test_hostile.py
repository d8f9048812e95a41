"""Whatever stands in a configuration or in a file is either used or refused with a sentence: no traceback, no hang."""

import shutil
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.base.errors import UserError
from src.config.compose import validate
from src.config.identity import flatten
from src.data.load import load
from src.ledger.database import Ledger, read_history
from src.ledger.files import DamagedError, read_arrays, read_file, write_arrays
from src.ledger.history import History
from src.ledger.objective import ACCURACY
from src.ledger.records import File
from src.ledger.sweep_folder import sweep_path
from src.search.problem import SearchProblem
from src.search.schedule import Schedule
from tests.unit.examples import config, propose

STORED = Path(__file__).parents[2] / "functional" / "stored" / "activations-mnist_5k-3b9dcfbe"
PLAIN = config().model_dump()
KEYS = sorted(flatten({key: value for key, value in PLAIN.items() if key != "search"}) | {"search.space": 0, "name": 0})
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 10**30, 1e-320]))
WORDS = st.one_of(
    st.text(max_size=8), st.sampled_from(["../x", "/etc", "a;b", "[red]", "null", "relu", "x" * 300, "\0"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS),
    lambda child: st.one_of(st.lists(child, max_size=3), st.dictionaries(WORDS, child, max_size=3)),
    max_leaves=6,
)
LEAVES = st.one_of(
    st.fixed_dictionaries({"choice": st.lists(VALUES, max_size=3)}),
    st.fixed_dictionaries(
        {"int": st.dictionaries(st.sampled_from(["min", "max", "step", "log"]), st.one_of(NUMBERS, st.booleans()))}
    ),
    st.fixed_dictionaries(
        {"float": st.dictionaries(st.sampled_from(["min", "max", "step", "log"]), st.one_of(NUMBERS, st.booleans()))}
    ),
    VALUES,
)
SPACES = st.dictionaries(
    st.sampled_from(["architecture", "activation", "optimizer", "training", "nothing"]),
    st.one_of(LEAVES, st.dictionaries(st.sampled_from(["kernel", "filters", "learning_rate", "epochs", "x"]), LEAVES)),
    max_size=3,
)


def put(plain: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The configuration with another value under a dotted key."""
    changed = deepcopy(plain)
    *parents, last = key.split(".")
    node = changed
    for name in parents:
        node = node[name]
    node[last] = value
    return changed


def points_of(plain: dict[str, Any]) -> None:
    """As far as a sweep goes before it trains; a UserError is a good answer."""
    with suppress(UserError):
        checked = validate(plain)
        path = sweep_path(checked, "data", "digest")
        assert path.parent == Path(checked.paths.sweeps).resolve()
        problem = SearchProblem.of(checked)
        few = checked.model_copy(update={"search": checked.search.model_copy(update={"max_trials": 3})})
        propose(Schedule.of(replace(problem, config=few), History(ACCURACY)))


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(KEYS), VALUES)
def test_any_value_of_any_key(key: str, value: Any) -> None:
    """A key may hold anything."""
    points_of(put(PLAIN, key, value))


@settings(max_examples=120, deadline=None)
@given(SPACES, st.sampled_from(["grid", "random"]))
def test_any_space(space: Any, strategy: str) -> None:
    """A space may hold anything."""
    points_of(put(put(put(PLAIN, "search.space", space), "search.strategy", strategy), "search.max_trials", 3))


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "", ".", "..", ".hidden", "a\nb", "a b", "x" * 101])
def test_names_stay_in_their_folder(name: str) -> None:
    """A name that is no plain file name is refused."""
    with pytest.raises(UserError, match="name"):
        validate(put(PLAIN, "name", name))


# ------------------------------------------------------------------------------------------- files


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_images(tmp_path: Path, data: st.DataObject) -> None:
    """A file of images that was cut or changed anywhere is read as it is, or refused."""
    path = tmp_path / "images.npz"
    x = np.arange(40 * 16, dtype=np.uint8).reshape(40, 4, 4)
    np.savez_compressed(path, x_train=x, y_train=np.arange(40) % 2)
    damage(path, data)
    with suppress(UserError):
        load(config("data=npz", f"data.path={path}").data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_a_ledger(tmp_path: Path, data: st.DataObject) -> None:
    """A ledger that was cut or changed anywhere gives what was written, or is refused: never another number."""
    folder = tmp_path / "sweep"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(STORED, folder)
    Ledger.open(folder, ACCURACY).close()  # brings it to today's schema, every row with a checksum
    before = read_history(folder, ACCURACY)
    damage(folder / "ledger.db", data)
    with suppress(UserError):
        assert read_history(folder, ACCURACY) == before
    with suppress(UserError):
        Ledger.open(folder, ACCURACY).close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_a_checkpoint(tmp_path: Path, data: st.DataObject) -> None:
    """A checkpoint that was cut or changed anywhere is never used."""
    file = write_arrays(tmp_path, "state.npz", {"a": np.arange(50.0)})
    if damage(tmp_path / "state.npz", data):
        with pytest.raises(DamagedError):
            read_arrays(tmp_path, file)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "checkpoints/../../secret"])
def test_files_outside_the_sweep(tmp_path: Path, path: str) -> None:
    """A ledger that names a file outside of its sweep's folder is not followed."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "sweep").mkdir()
    with pytest.raises(DamagedError, match="outside"):
        read_file(tmp_path / "sweep", File(path, "0"))


def damage(path: Path, data: st.DataObject) -> bool:
    """Cut the file, or change some of its bytes; whether that changed it."""
    before = path.read_bytes()
    content = bytearray(before)
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    return bytes(content) != before
