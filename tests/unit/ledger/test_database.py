"""The ledger holds exactly what happened, whatever happens to the process or the files."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.base.disk import write_durably
from src.base.errors import UserError
from src.ledger.columns import checksum
from src.ledger.database import Ledger, read_history
from src.ledger.events import Checked, Dropped, EpochEnded, Failed, Finished, Reused, Started, Stopped, Tracked
from src.ledger.files import Arrays, DamagedError, read_arrays, read_file, write_arrays, write_file
from src.ledger.history import History
from src.ledger.jobs import CheckJob, TrainJob
from src.ledger.migrations import SCHEMAS
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Evaluation, File, Invocation, Probe, TrialState
from src.search.problem import Plan
from src.search.proposals import new_points
from src.search.schedule import new_trials
from tests.unit.examples import config, epoch, file

SPACE = {"architecture": {"filters": {"choice": [[8, 16], 16, [16, 16], [1, 2, 3]]}}}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with an invocation, two trials, a duplicate and a misfit."""
    opened = Ledger.open(tmp_path, ACCURACY)
    plan = Plan.of(config(space=SPACE))
    opened.save(Invocation(1, 1.5, 1.5, "höst", 7, {"training": {"epochs": 2}}, {"python": "3"}))
    for point in new_points(plan, opened.history):
        opened.save(point)
    for number in (1, 2):
        opened.save(Checked(number, "", 10, 20, 30))
    for trial in new_trials(plan, opened.history):
        opened.save(trial)
    yield opened
    opened.close()


def checkpoint(folder: Path, name: str) -> File:
    """A real file of the sweep."""
    return write_arrays(folder, f"checkpoints/{name}.npz", {"a": np.arange(3)})


TRAIN = TrainJob(1, 1, {"a": [1]}, 3, "val_accuracy", 2, file("x"), (epoch(1),))
EVENTS: list[Any] = [
    Probe(1, 20, 0.5, 1e-4),
    Started(1, 1),
    EpochEnded(1, epoch(1, 1 / 3), None),
    EpochEnded(1, epoch(2, 0.1 + 0.2), file("1-2")),
    EpochEnded(1, epoch(2, 0.1), file("1-2b")),
    Finished(1, file("1-best"), "early stopping: …"),
    Tracked(1, "abc"),
    Evaluation(1, 2, 0.1, 0.9, 12.5),
    Started(2, 1),
    Failed(TRAIN, Cause.CRASH, "line\n'quoted'", "Traceback …"),
    Failed(CheckJob(2, {}), Cause.CRASH, "its end"),
    Failed(CheckJob(2, {}), Cause.CRASH, "its end"),
    Stopped(2),
    Reused(2, 2, "öther trial 7", (epoch(1, 1 / 3), epoch(2)), "finished", "early", "", file("2"), file("2-best")),
    Dropped(1),
]


# -------------------------------------------------------------------------------------------- events


def test_every_event_survives(ledger: Ledger, tmp_path: Path) -> None:
    """After each event the file holds what memory holds, to the last bit and type."""
    for event in EVENTS:
        ledger.save(event)
        assert read_history(tmp_path, ACCURACY) == ledger.history, event
    ledger.close()
    again = Ledger.open(tmp_path, ACCURACY)
    assert repr(again.history) == repr(ledger.history)
    assert len(again.history.failures) == 3 and again.history.crashes["check", 2] == 2
    again.close()


def test_readers_see_what_is_saved(ledger: Ledger, tmp_path: Path) -> None:
    """A reader beside the writer sees every event that was saved, and cannot write."""
    assert read_history(tmp_path, ACCURACY).trial(1).state == TrialState.WAITING
    ledger.save(Started(1, 1))
    assert read_history(tmp_path, ACCURACY).trial(1).state == TrialState.RUNNING


def test_a_save_is_all_or_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """Where one of an event's rows cannot be written, none is, and the message says that the rest is safe."""
    ledger.connection.execute("CREATE TRIGGER full BEFORE INSERT ON invocations BEGIN SELECT RAISE(ABORT, 'x'); END")
    before = read_history(tmp_path, ACCURACY)
    with pytest.raises((UserError, sqlite3.Error)):
        ledger.save(EpochEnded(1, epoch(1), file("1-1")))
    ledger.connection.execute("DROP TRIGGER full")
    assert read_history(tmp_path, ACCURACY) == before
    ledger.save(Started(1, 1))  # the connection is not stuck in a transaction
    assert read_history(tmp_path, ACCURACY).trial(1).state == TrialState.RUNNING


def test_a_ledger_that_cannot_be_written(ledger: Ledger, tmp_path: Path) -> None:
    """A locked or full disk is a message for the user, and the checkpoint that was replaced is still there."""
    first, second = checkpoint(tmp_path, "1-1"), checkpoint(tmp_path, "1-2")
    ledger.save(EpochEnded(1, epoch(1), first))
    ledger.connection.execute("PRAGMA query_only=ON")
    with pytest.raises(UserError, match="everything up to the event before is safe"):
        ledger.save(EpochEnded(1, epoch(2), second))
    read_arrays(tmp_path, first)
    trial = read_history(tmp_path, ACCURACY).trial(1)
    assert (trial.checkpoint, len(trial.epochs)) == (first, 1)


# ---------------------------------------------------------------------------------------------- files


def test_replaced_files_are_deleted_after(ledger: Ledger, tmp_path: Path) -> None:
    """A checkpoint goes once a newer one is in its row; dropped ones go; others stay."""
    first, second, other, weights = (checkpoint(tmp_path, name) for name in ("1-1", "1-2", "2-1", "1-best"))

    def left() -> set[str]:
        return {path.name for path in (tmp_path / "checkpoints").iterdir()}

    ledger.save(EpochEnded(2, epoch(1), other))
    ledger.save(EpochEnded(1, epoch(1), first))
    assert left() == {"1-1.npz", "1-2.npz", "2-1.npz", "1-best.npz"}
    ledger.save(EpochEnded(1, epoch(2), second))
    ledger.save(Finished(1, weights, ""))
    assert left() == {"1-2.npz", "2-1.npz", "1-best.npz"}
    ledger.save(Dropped(1))
    assert left() == {"2-1.npz"}


def test_a_damaged_checkpoint_is_given_up(ledger: Ledger, tmp_path: Path) -> None:
    """What cannot be read is deleted when the row no longer names it."""
    saved = checkpoint(tmp_path, "1-1")
    ledger.save(EpochEnded(1, epoch(1), saved))
    ledger.save(Failed(TRAIN, Cause.DAMAGED, "its checksum differs"))
    assert not (tmp_path / saved.path).exists() and ledger.history.trial(1).checkpoint is None


def test_sweep_out(ledger: Ledger, tmp_path: Path) -> None:
    """Only checkpoints and models that no row names are deleted, and nothing outside their folders."""
    named, weights = checkpoint(tmp_path, "1-1"), checkpoint(tmp_path, "1-best")
    checkpoint(tmp_path, "1-2")
    (tmp_path / "checkpoints" / ".1-3.npz.123").write_text("half a file")
    (tmp_path / "notes.txt").write_text("mine")
    ledger.save(EpochEnded(1, epoch(1), named))
    ledger.save(Finished(1, weights, ""))
    models = [
        write_file(tmp_path, f"models/{name}", lambda path: path.write_text("it")) for name in ("a.keras", "b.npz")
    ]
    (tmp_path / "models" / ".c.keras.123").write_text("half a model")
    ledger.save(Evaluation(1, 1, 0.1, 0.9, 12.5, models[1], models[0]))
    ledger.delete_orphans()
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"1-1.npz", "1-best.npz"}
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"a.keras", "b.npz"}
    assert (tmp_path / "notes.txt").exists()


def test_in_memory_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """A preview starts with what the ledger has; what it saves and deletes does not reach the disk."""
    saved = checkpoint(tmp_path, "1-1")
    ledger.save(EpochEnded(1, epoch(1), saved))
    ledger.close()
    before = (tmp_path / "ledger.db").read_bytes()
    preview = Ledger.in_memory(tmp_path, ACCURACY)
    assert preview.history == ledger.history
    preview.save(EpochEnded(1, epoch(2), file("1-2")))
    preview.delete_orphans()
    preview.close()
    assert (tmp_path / "ledger.db").read_bytes() == before
    assert (tmp_path / saved.path).exists()


def test_in_memory_without_a_ledger(tmp_path: Path) -> None:
    """A preview of a new sweep has no rows and creates nothing."""
    preview = Ledger.in_memory(tmp_path / "new", "val_loss")
    assert preview.history == History("val_loss") and not (tmp_path / "new").exists()


# ------------------------------------------------------------------------- evaluations, older ledgers


def test_an_evaluation_keeps_its_files(ledger: Ledger, tmp_path: Path) -> None:
    """The files of predictions and model come back as they were written, and so does an evaluation without them."""
    written = [
        Evaluation(1, 2, 0.1, 0.9, 12.5, file("predictions"), file("model")),
        Evaluation(1, 3, 0.1, 0.9, 12.5),
        Evaluation(2, 1, 1 / 3, 0.1 + 0.2, 1e9 + 1 / 3, None, file("model")),
    ]
    for evaluation in written:
        ledger.save(evaluation)
    assert read_history(tmp_path, ACCURACY).evaluations == written
    ledger.close()
    again = Ledger.open(tmp_path, ACCURACY)
    assert repr(again.history.evaluations) == repr(written)
    again.close()


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """A folder with a ledger as the first version left it: a finished trial of two epochs that was looked at."""
    metrics = '{"loss": 1.0, "accuracy": 0.5, "val_loss": 0.25, "val_accuracy": 0.75, "learning_rate": 0.001}'
    connection = sqlite3.connect(tmp_path / "ledger.db")
    connection.executescript(f"""{SCHEMAS[0]}
        INSERT INTO points VALUES (1, '{{"a": [1]}}', '{{}}', 'feasible', '', 10, 20, 30);
        INSERT INTO trials VALUES (1, 1, 'candidate', 1, 7, 'finished', '', 1, 0, 2, 0.75, 'null', 0,
            '{{"path": "checkpoints/1-best.npz", "sha256": "00"}}', 'abc');
        INSERT INTO epochs VALUES (1, 1, '{metrics}', 2.5, 10.0), (1, 2, '{metrics}', 2.5, 12.5);
        INSERT INTO evaluations VALUES (1, 2, 0.125, 0.875, 13.5);
        INSERT INTO invocations VALUES (1, 1.5, 14.0, 'here', 7, '{{}}', '{{"python": "3"}}', '');
        PRAGMA user_version=1""")
    connection.close()
    return tmp_path


def version_of(folder: Path) -> int:
    """Of a ledger's schema."""
    connection = sqlite3.connect(folder / "ledger.db")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    connection.close()
    return version


def check_first_version(history: History) -> None:
    """The rows are those of the first version, and what it did not know is empty."""
    assert history.evaluations == [Evaluation(1, 2, 0.125, 0.875, 13.5, None, None)]
    (trial,), (point,), (invocation,) = history.trials, history.points, history.invocations
    assert (trial.state, trial.seed, trial.best_epoch, trial.checkpoint) == ("finished", 7, 2, None)
    assert trial.weights == File("checkpoints/1-best.npz", "00")
    assert [(one.number, one.metrics["val_loss"], one.ended) for one in trial.epochs] == [
        (1, 0.25, 10.0),
        (2, 0.25, 12.5),
    ]
    assert point.values == {"a": [1]} and invocation.environment == {"python": "3"}


def test_a_ledger_of_the_first_version_is_read_as_it_is(first_version: Path) -> None:
    """Reading and previewing understand a ledger of the first version and leave it untouched."""
    before = (first_version / "ledger.db").read_bytes()
    check_first_version(read_history(first_version, ACCURACY))
    preview = Ledger.in_memory(first_version, ACCURACY)
    check_first_version(preview.history)
    preview.save(Started(1, 2))  # its tables, in memory, are the newest
    preview.close()
    assert (first_version / "ledger.db").read_bytes() == before and version_of(first_version) == 1
    assert [path.name for path in first_version.iterdir()] == ["ledger.db"]


def test_a_ledger_of_the_first_version_is_brought_to_the_newest(first_version: Path) -> None:
    """Opening migrates once, every row is kept, and what only the newest knows can be written beside them."""
    for _ in range(2):
        ledger = Ledger.open(first_version, ACCURACY)
        check_first_version(ledger.history)
        ledger.close()
        assert version_of(first_version) == len(SCHEMAS)
    later = Evaluation(1, 2, 0.1, 0.9, 20.0, file("predictions"), file("model"))
    ledger = Ledger.open(first_version, ACCURACY)
    ledger.save(later)
    ledger.save(EpochEnded(1, epoch(3), file("1-3")))
    ledger.close()
    history = read_history(first_version, ACCURACY)
    assert history == ledger.history and history.evaluations[1] == later and len(history.trial(1).epochs) == 3


def test_a_ledger_without_origins_is_brought_to_the_newest(ledger: Ledger, tmp_path: Path) -> None:
    """Rows of before a trial had an origin, with checksums of then, are read as they are and survive the migration."""
    ledger.save(Started(1, 1))
    ledger.connection.execute("ALTER TABLE trials DROP COLUMN origin")
    names = [row[1] for row in ledger.connection.execute("PRAGMA table_info(trials)") if row[1] != "checksum"]
    for row in ledger.connection.execute(f"SELECT {', '.join(names)} FROM trials").fetchall():
        stored = checksum(dict(zip(names, row, strict=True)))
        ledger.connection.execute("UPDATE trials SET checksum = ? WHERE number = ?", (stored, row[0]))
    ledger.connection.execute("PRAGMA user_version=3")
    ledger.close()
    assert read_history(tmp_path, ACCURACY) == ledger.history
    Ledger.open(tmp_path, ACCURACY).close()
    assert version_of(tmp_path) == len(SCHEMAS) and read_history(tmp_path, ACCURACY) == ledger.history


# ------------------------------------------------------------------------------------- refused ledgers


def open_and_close(folder: Path) -> None:
    """As a sweep does."""
    Ledger.open(folder, ACCURACY).close()


def read(folder: Path) -> None:
    """As the reading entries do."""
    read_history(folder, ACCURACY)


def preview(folder: Path) -> None:
    """As a preview does."""
    Ledger.in_memory(folder, ACCURACY).close()


@pytest.mark.parametrize("action", [open_and_close, preview, read])
def test_a_later_schema_is_refused(tmp_path: Path, action: Callable[[Path], None]) -> None:
    """A ledger of a later version is left as it is, and the message says to update."""
    open_and_close(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute(f"PRAGMA user_version={len(SCHEMAS) + 1}")
    connection.close()
    before = (tmp_path / "ledger.db").read_bytes()
    with pytest.raises(UserError, match="later version"):
        action(tmp_path)
    assert (tmp_path / "ledger.db").read_bytes() == before


@pytest.mark.parametrize("action", [open_and_close, read, preview])
@pytest.mark.parametrize("content", [b"no database, but long enough to be looked at\n" * 40])
def test_what_is_no_database_is_refused(tmp_path: Path, action: Callable[[Path], None], content: bytes) -> None:
    """A file that is no ledger is named and left as it is."""
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(UserError, match=r"ledger\.db cannot be read"):
        action(tmp_path)
    assert (tmp_path / "ledger.db").read_bytes() == content


def test_reading_does_not_create(tmp_path: Path) -> None:
    """Reading a sweep without a ledger is an error that leaves no file."""
    with pytest.raises(UserError, match=r"ledger\.db cannot be used"):
        read(tmp_path)
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------------- arrays


def test_arrays_round_trip(tmp_path: Path) -> None:
    """Arrays come back with their names, types, shapes and bits; no other file is left."""
    arrays: Arrays = {
        "block1_conv1/kernel": np.array([[np.nan, -0.0], [1 / 3, np.inf]], np.float32),
        "model/0": np.array(7, np.int64),
        "seed": np.array([2**32 - 1], np.uint32),
        "empty": np.zeros((0, 3), np.float32),
    }
    saved = write_arrays(tmp_path, "checkpoints/1.npz", arrays)
    back = read_arrays(tmp_path, saved)
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in back.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()
    }
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["1.npz"]


def flip(path: Path) -> None:
    """One bit is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [flip, lambda path: os.truncate(path, 100), lambda path: os.truncate(path, 0), Path.unlink],
    ids=["bit", "truncated", "empty", "missing"],
)
def test_damaged_arrays_are_known(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A file that is not, to the bit, what was written is never taken for it."""
    saved = checkpoint(tmp_path, "1-1")
    spoil(tmp_path / saved.path)
    with pytest.raises(DamagedError, match=r"1-1\.npz"):
        read_arrays(tmp_path, saved)


@pytest.mark.parametrize("content", [b"", b"model", bytes(range(256)) * 5000])
def test_files_round_trip(tmp_path: Path, content: bytes) -> None:
    """What something else writes is in the sweep's folder, bit by bit, under the name given, and nothing else is."""
    names: list[str] = []

    def save(path: Path) -> None:
        names.append(path.name)
        path.write_bytes(content)

    saved = write_file(tmp_path, "models/00001-2.keras", save)
    assert names == ["00001-2.keras"]  # Keras looks at the suffix
    assert saved.path == "models/00001-2.keras" and (tmp_path / saved.path).read_bytes() == content
    assert read_file(tmp_path, saved) == content
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / saved.path]


def test_a_file_that_cannot_be_made_leaves_the_old(tmp_path: Path) -> None:
    """Where writing fails half way the file of before is whole, and it can still be read."""
    saved = write_file(tmp_path, "models/1.keras", lambda path: path.write_bytes(b"old"))

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("it broke")

    with pytest.raises(RuntimeError, match="it broke"):
        write_file(tmp_path, "models/1.keras", fail)
    assert read_file(tmp_path, saved) == b"old" and list((tmp_path / "models").iterdir()) == [tmp_path / saved.path]


@pytest.mark.parametrize(
    "spoil",
    [flip, lambda path: os.truncate(path, 3), lambda path: os.truncate(path, 0), Path.unlink],
    ids=["bit", "truncated", "empty", "missing"],
)
def test_a_changed_file_is_known(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A file that is not, to the bit, what was written is named instead of read."""
    saved = write_file(tmp_path, "models/1.keras", lambda path: path.write_bytes(b"the model"))
    spoil(tmp_path / saved.path)
    with pytest.raises(DamagedError, match=r"models/1\.keras"):
        read_file(tmp_path, saved)


def test_a_write_that_fails_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk fails on the way, the file is named, its old content whole, and no temporary file is left."""
    path = tmp_path / "a"
    write_durably(path, b"old")

    def fail(number: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=f"no space left: '{path}'"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_ledger_about_to_be_made_has_no_rows(tmp_path: Path) -> None:
    """A reader that comes between a new file and its tables sees an empty sweep."""
    sqlite3.connect(tmp_path / "ledger.db").execute("PRAGMA journal_mode=WAL").close()
    assert read_history(tmp_path, ACCURACY) == History(ACCURACY)
