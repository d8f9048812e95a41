"""The ledger holds exactly what happened, whatever happens to the process or the files."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from src.base.errors import UserError
from src.ledger.columns import TABLES, select
from src.ledger.database import Ledger, LedgerReader, connect_read_only, load_history, read_changes, read_history
from src.ledger.events import (
    Checked,
    Dropped,
    EpochEnded,
    Event,
    Failed,
    Finished,
    Mirrored,
    Paused,
    Pruned,
    Reused,
    Started,
    Stopped,
    Tracked,
)
from src.ledger.files import read_arrays, write_arrays, write_file
from src.ledger.history import History
from src.ledger.jobs import CheckJob
from src.ledger.objective import ACCURACY, LOSS
from src.ledger.records import (
    Cause,
    Evaluation,
    File,
    Invocation,
    Origin,
    Point,
    Probe,
    Record,
    Role,
    Trial,
    TrialState,
)
from tests.unit.examples import epoch, file, train_job, trial_config


def checkpoint(folder: Path, name: str) -> File:
    """A real file of the sweep."""
    return write_arrays(folder, f"checkpoints/{name}.npz", {"a": np.arange(3)})


FILES: dict[str, Any] = {"checkpoint": file("2"), "weights": file("2-best"), "validation": file("2-each")}
TRAIN = replace(train_job(1), checkpoint=file("x"), epochs=(epoch(1),))
EVENTS: list[Event | Record] = [
    Probe(1, 20, 0.5, 1e-4),
    Started(1, 1),
    EpochEnded(1, epoch(1, 1 / 3), None),
    EpochEnded(1, epoch(2, 0.1 + 0.2), file("1-2")),
    EpochEnded(1, epoch(2, 0.1), file("1-2b")),
    Finished(1, file("1-best"), True, "early stopping: …", file("1-each")),
    Tracked(1, "abc"),
    Evaluation(1, 2, 0.1, 0.9, 12.5),
    Started(2, 1),
    Failed(replace(TRAIN, trial=2), Cause.CRASH, "line\n'quoted'", "Traceback …"),
    Failed(CheckJob(2, trial_config()), Cause.CRASH, "its end"),
    Failed(CheckJob(2, trial_config()), Cause.CRASH, "its end"),
    Stopped(2),
    Reused(2, 2, Origin("öther", 7), (epoch(1, 1 / 3), epoch(2)), TrialState.FINISHED, True, "early", **FILES),
    Mirrored("where, and with what"),
    Dropped(1),
    Invocation(2, 2.5, 2.5, "elsewhere", 8, {}, {}),
    Started(1, 2, "numpy 1 → 2"),
    EpochEnded(1, epoch(1, 0.9), file("1-1")),  # once more
    EpochEnded(1, epoch(3, 0.9), None),
    Paused(1),
    Pruned(1, "among the worst half"),
    Point(5, {}, trial_config()),
    Checked(5, "too small"),
    Trial(3, 1, Role.CONFIRM, 0, 9),
]


# -------------------------------------------------------------------------------------------- events


def test_every_kind_of_event_is_here() -> None:
    """The list above holds each of them."""
    assert {type(event) for event in EVENTS} == {*get_args(Event), Invocation, Point, Trial}


def test_every_event_survives(ledger: Ledger, tmp_path: Path) -> None:
    """After each event the file holds what memory holds, to the last bit and type."""
    for event in EVENTS:
        ledger.save(event)
        assert read_history(tmp_path, ACCURACY) == ledger.history, event
    ledger.close()
    again = Ledger.open(tmp_path, ACCURACY)
    assert repr(again.history) == repr(ledger.history)
    assert again.history.trial(2).origin == Origin("öther", 7) and again.history.trial(2).state is TrialState.FINISHED
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
    ledger.save(Finished(1, weights))
    assert left() == {"1-2.npz", "2-1.npz", "1-best.npz"}
    ledger.save(Dropped(1))
    assert left() == {"2-1.npz"}


def test_a_damaged_checkpoint_is_given_up(ledger: Ledger, tmp_path: Path) -> None:
    """What cannot be read is deleted when the row no longer names it."""
    saved = checkpoint(tmp_path, "1-1")
    ledger.save(EpochEnded(1, epoch(1), saved))
    ledger.save(Failed(TRAIN, Cause.DAMAGED, "its checksum differs"))
    assert not (tmp_path / saved.path).exists() and ledger.history.trial(1).checkpoint is None


def test_orphans_are_deleted(ledger: Ledger, tmp_path: Path) -> None:
    """Only checkpoints and models that no row names are deleted, and nothing outside their folders."""
    named, weights = checkpoint(tmp_path, "1-1"), checkpoint(tmp_path, "1-best")
    checkpoint(tmp_path, "1-2")
    (tmp_path / "checkpoints" / ".1-3.npz.123").write_text("half a file")
    (tmp_path / "notes.txt").write_text("mine")
    ledger.save(EpochEnded(1, epoch(1), named))
    ledger.save(Finished(1, weights))
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
    preview = Ledger.in_memory(tmp_path / "new", LOSS)
    assert preview.history == History(LOSS) and not (tmp_path / "new").exists()


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


def test_a_ledger_about_to_be_made_has_no_rows(tmp_path: Path) -> None:
    """A reader that comes between a new file and its tables sees an empty sweep."""
    sqlite3.connect(tmp_path / "ledger.db").execute("PRAGMA journal_mode=WAL").close()
    assert read_history(tmp_path, ACCURACY) == History(ACCURACY)


# ------------------------------------------------------------------------------------------ followers


def test_a_follower_reads_only_what_changed(ledger: Ledger, tmp_path: Path) -> None:
    """A reader that begins with nothing, and after each event reads what came since, knows what is there."""
    follower, seen = History(ACCURACY), -1
    with closing(connect_read_only(tmp_path)) as connection:
        seen = read_changes(connection, follower, seen)
        for event in EVENTS:
            assert follower == load_history(connection, ACCURACY) == ledger.history, event
            ledger.save(event)
            seen = read_changes(connection, follower, seen)
            assert seen == ledger.counter
        assert repr(follower) == repr(ledger.history)


@pytest.mark.parametrize("steps", [2, 3, 7, 100])
def test_a_follower_may_miss_events(ledger: Ledger, tmp_path: Path, steps: int) -> None:
    """Whenever it reads, it comes to where the ledger is; where nothing has come since, it reads nothing twice."""
    follower, seen = History(ACCURACY), -1
    with closing(connect_read_only(tmp_path)) as connection:
        for index, event in enumerate(EVENTS):
            ledger.save(event)
            if index % steps == 0:
                for _ in range(2):
                    seen = read_changes(connection, follower, seen)
                    assert follower == ledger.history and seen == ledger.counter
        read_changes(connection, follower, seen)
        assert follower == ledger.history


def test_the_counter_rises_with_every_row(ledger: Ledger, tmp_path: Path) -> None:
    """Each row that an event writes has a number of its own, above all before; also after the ledger was closed."""
    for event in EVENTS:
        before = ledger.counter
        ledger.save(event)
        written = changes(tmp_path, before)
        assert written == list(range(before + 1, ledger.counter + 1)) and written
    ledger.close()
    again = Ledger.open(tmp_path, ACCURACY)
    before = again.counter
    assert before == ledger.counter
    again.save(Started(1, 3))
    assert changes(tmp_path, before) == [before + 1, before + 2]  # the trial and the invocation
    again.close()


def changes(folder: Path, since: int) -> list[int]:
    """The counter's values at the rows written since, as they stand in the file."""
    with closing(connect_read_only(folder)) as connection:
        return sorted(row["changed"] for table in TABLES.values() for row in select(connection, table, since))


def test_a_reader_follows_a_ledger_from_its_first_moment(tmp_path: Path) -> None:
    """It reads nothing before there are tables, then always what a new reading gives."""
    sqlite3.connect(tmp_path / "ledger.db").close()
    reader = LedgerReader(tmp_path, ACCURACY)
    assert reader.read() == History(ACCURACY)
    ledger = Ledger.open(tmp_path, ACCURACY)
    for number in (1, 2):
        ledger.save(Point(number, {"architecture.kernel": number}, None))
        assert reader.read() == read_history(tmp_path, ACCURACY)
    ledger.close()
