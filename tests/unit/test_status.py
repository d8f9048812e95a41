"""All sweeps at a glance: their states, their numbers, and the commands that go on."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from src.config.command_line import run_reading
from src.config.schema import Config
from src.ledger.database import Ledger, read_history
from src.ledger.events import Checked, EpochEnded, Failed, Finished, Paused, Pruned, Started
from src.ledger.lock import lock_sweep
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Evaluation, PointState
from src.ledger.sweep_folder import create_or_check, list_sweeps, write_last
from src.search.problem import SearchProblem
from src.search.proposals import next_point
from src.search.schedule import Schedule, new_trials
from src.status import main
from tests.unit.examples import SPACE, config, epoch, file, train_job

COMMAND = "python -m src.sweep 'search.space.architecture.pool.choice=[1,2]' training.epochs=1"


def make_sweep(path: Path, *overrides: str, command: str = COMMAND, finished: int = 0, evaluated: bool = False) -> None:
    """A sweep of four points, the last of which cannot be built, and so many of its trials finished."""
    chosen = config(f"paths.sweeps={path.parent}", "training.epochs=1", *overrides, space=SPACE)
    create_or_check(path, chosen, "digest")
    write_last(path, chosen, command)
    with_ledger(path, chosen, finished, evaluated)


def with_ledger(path: Path, chosen: Config, finished: int, evaluated: bool) -> None:
    """Its ledger, as the runner leaves it."""
    problem = SearchProblem.of(chosen)
    ledger = Ledger.open(path, problem.objective)
    schedule = Schedule.of(problem, ledger.history)
    while point := next_point(schedule):
        ledger.save(point)
    for point in ledger.history.points:
        ledger.save(Checked(point.number, "no room" if point.number == 4 else "", 10, 20, 30))
    for trial in new_trials(schedule):
        ledger.save(trial)
    for number in range(1, finished + 1):
        ledger.save(Started(number, 1))
        ledger.save(EpochEnded(number, epoch(1, number / 10), None))
        ledger.save(Finished(number, file("1")))
    if evaluated:
        ledger.save(Evaluation(finished, 1, 0.1, 0.9, 2.0))
    ledger.close()


def status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Runs the entry as a shell does: exit code, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["status", *arguments])
    with pytest.raises(SystemExit) as end:
        run_reading(main)
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the entry prints as JSON of the test's folder, by sweep."""

    def read() -> dict[str, dict[str, Any]]:
        code, out, err = status(monkeypatch, capsys, "--format", "json", "--sweeps", str(tmp_path))
        assert (code, err) == (0, "")
        return {row["sweep"]: row for row in json.loads(out)}

    return read


# -------------------------------------------------------------------------------------------- states


@pytest.mark.parametrize(
    ("overrides", "finished", "evaluated", "state"),
    [
        ((), 0, False, "interrupted"),
        ((), 2, False, "interrupted"),
        ((), 3, False, "interrupted"),  # the winner's look at the test images is left
        ((), 3, True, "complete"),
        (("search.max_trials=2",), 2, True, "complete"),
        (("search.repeats=2",), 3, True, "interrupted"),
    ],
)
def test_states(
    history: Any, tmp_path: Path, overrides: tuple[str, ...], finished: int, evaluated: bool, state: str
) -> None:
    """A sweep is complete once nothing is left of what was asked of it last, and interrupted before."""
    make_sweep(tmp_path / "mine", *overrides, finished=finished, evaluated=evaluated)
    row = history()["mine"]
    assert (row["state"], row["reason"]) == (state, "")
    with lock_sweep(tmp_path / "mine", steal=False):
        assert history()["mine"]["state"] == "running"
    assert history()["mine"]["state"] == state


@pytest.mark.parametrize(
    ("asked", "state", "reason"),
    [
        ("training.epochs=2", "interrupted", ""),
        ("search.confirm=2", "interrupted", ""),
        ("search.max_trials=9", "interrupted", ""),
        ("search.max_trials=1", "complete", "within its budget"),
    ],
)
def test_asking_for_more(history: Any, tmp_path: Path, asked: str, state: str, reason: str) -> None:
    """A sweep that was asked for more, and stopped before it began, is interrupted; one cut by its budget is complete."""
    make_sweep(tmp_path / "mine", "search.max_trials=2", finished=2, evaluated=True)
    if "max_trials=1" in asked:
        make_sweep(tmp_path / "mine", finished=1)
    write_last(tmp_path / "mine", config("training.epochs=1", asked, space=SPACE), COMMAND)
    row = history()["mine"]
    assert (row["state"], row["reason"]) == (state, reason)


def test_pruned_trials_are_counted(history: Any, tmp_path: Path) -> None:
    """Of a complete sweep with fewer finished trials than there are, it is said how many were pruned."""
    words = ("search.pruner=top_k", "search.keep=1", "training.epochs=2")
    make_sweep(tmp_path / "mine", *words)
    ledger = Ledger.open(tmp_path / "mine", ACCURACY)
    for number in (1, 2, 3):
        ledger.save(Started(number, 1))
        ledger.save(EpochEnded(number, epoch(1, number / 10), None))
        ledger.save(Pruned(number, "place 2") if number < 3 else Paused(number))
    ledger.save(EpochEnded(3, epoch(2, 0.5), None))
    ledger.save(Finished(3, file("3")))
    ledger.save(Evaluation(3, 2, 0.1, 0.9, 2.0))
    ledger.close()
    row = history()["mine"]
    assert (row["state"], row["reason"], row["finished"], row["trials"]) == ("complete", "with 2 pruned", 1, 3)


def test_a_sweep_of_which_nothing_can_be_built(history: Any, tmp_path: Path) -> None:
    """It is no interrupted one: its command could only fail again."""
    make_sweep(tmp_path / "mine", finished=0)
    ledger = Ledger.open(tmp_path / "mine", ACCURACY)
    for point in ledger.history.points:
        point.state = PointState.INFEASIBLE
        ledger.save(point)
    ledger.connection.execute("DELETE FROM trials")
    ledger.close()
    row = history()["mine"]
    assert (row["state"], row["reason"]) == ("complete", "nothing can be trained")


def test_looking_takes_no_lock(history: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that begins while its state is looked at is not kept from it."""
    make_sweep(tmp_path / "mine", finished=1)

    def take(*_: object, **__: object) -> None:
        raise AssertionError("the lock is taken")

    with lock_sweep(tmp_path / "mine", steal=False):
        monkeypatch.setattr(FileLock, "acquire", take)
        assert history()["mine"]["state"] == "running"
    assert history()["mine"]["state"] == "interrupted"


@pytest.mark.parametrize("evaluated", [True, False])
def test_without_a_configuration(history: Any, tmp_path: Path, evaluated: bool) -> None:
    """Where last.yaml is missing the trials' states and the evaluation tell, and no command is known."""
    make_sweep(tmp_path / "mine", finished=3, evaluated=evaluated)
    (tmp_path / "mine" / "last.yaml").unlink()
    row = history()["mine"]
    assert (row["state"], row["command"]) == ("complete" if evaluated else "interrupted", None)


def test_a_random_search(history: Any, tmp_path: Path) -> None:
    """Whether a random search has points left is told without drawing any."""
    make_sweep(tmp_path / "grid", finished=3, evaluated=True)
    drawn = config("search.strategy=random", "search.max_trials=3", "training.epochs=1", space=SPACE)
    write_last(tmp_path / "grid", drawn, COMMAND)
    assert history()["grid"]["state"] == "complete"
    more = drawn.model_copy(update={"search": drawn.search.model_copy(update={"max_trials": 30})})
    write_last(tmp_path / "grid", more, COMMAND)
    assert history()["grid"]["state"] == "complete"  # all of its four points are known
    wide = config(
        "search.strategy=random",
        "search.max_trials=30",
        "training.epochs=1",
        space={"optimizer": {"learning_rate": {"float": {"min": 0.1, "max": 0.2}}}},
    )
    write_last(tmp_path / "grid", wide, COMMAND)
    assert history()["grid"]["state"] == "interrupted"


# ------------------------------------------------------------------------------------------- numbers


def test_numbers(history: Any, tmp_path: Path) -> None:
    """Trials finished, failed and in all, points that cannot be built, and the best place are counted from the ledger."""
    make_sweep(tmp_path / "mine", finished=2)
    ledger = Ledger.open(tmp_path / "mine", ACCURACY)
    ledger.save(Started(3, 1))
    ledger.save(Failed(train_job(3), Cause.NAN, "the loss is NaN"))
    ledger.close()
    row = history()["mine"]
    assert {key: row[key] for key in ("finished", "trials", "failed", "infeasible")} == {
        "finished": 2,
        "trials": 3,
        "failed": 1,
        "infeasible": 1,
    }
    assert (row["objective"], row["best"], row["seeds"]) == ("val_accuracy", 0.2, 1)
    assert row["command"] == COMMAND and row["bytes"] > 20_000 and row["written"]


def test_the_best_is_a_mean(history: Any, tmp_path: Path) -> None:
    """Of several seeds the best point's mean is shown, and of how many."""
    make_sweep(tmp_path / "mine", "search.repeats=2", finished=6)
    row = history()["mine"]
    assert (row["best"], row["seeds"]) == (pytest.approx((0.3 + 0.6) / 2), 2)


def test_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a sweep under a heading, the one written last first, its command uncut at the end."""
    make_sweep(tmp_path / "older", finished=1, command="")
    make_sweep(tmp_path / "newer", "search.repeats=2", finished=6, evaluated=True)
    for name, written in (("older", 10), ("newer", 20)):
        os.utime(tmp_path / name / "ledger.db", (written, written))
    code, out, err = status(monkeypatch, capsys, "--sweeps", str(tmp_path))
    heading, first, second = out.splitlines()
    assert (code, err) == (0, "") and heading.split()[:3] == ["sweep", "state", "trials"]
    assert first.startswith("newer  complete") and "val_accuracy 0.4500 (mean of 2)" in first
    assert first.endswith(COMMAND) and " days " in first and "6/6" in first
    assert second.startswith("older  interrupted") and second.endswith("–")


def test_reading_is_no_writing(history: Any, tmp_path: Path) -> None:
    """A sweep that was only read keeps its age and its place."""
    for name, written in (("older", 10), ("newer", 20)):
        make_sweep(tmp_path / name)
        os.utime(tmp_path / name / "ledger.db", (written, written))
    read_history(tmp_path / "older", ACCURACY)
    assert [path.name for path in list_sweeps(tmp_path)] == ["newer", "older"]
    assert history()["older"]["written"] == history()["older"]["written"]


# ------------------------------------------------------------------------------------------- damage


def cut_ledger(path: Path) -> None:
    """Half of the ledger is lost."""
    ledger = path / "ledger.db"
    ledger.write_bytes(ledger.read_bytes()[:9000])


def foreign_ledger(path: Path) -> None:
    """The ledger is something else."""
    (path / "ledger.db").write_text("no database, " * 100)


def empty_configuration(path: Path) -> None:
    """The frozen configuration is empty."""
    (path / "config.yaml").write_text("")


def no_configuration(path: Path) -> None:
    """The frozen configuration was deleted."""
    (path / "config.yaml").unlink()


@pytest.mark.parametrize("damage", [cut_ledger, foreign_ledger, empty_configuration, no_configuration])
def test_damage(
    history: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], damage: Any
) -> None:
    """A sweep that cannot be read is a row that says why; the others are listed as ever."""
    make_sweep(tmp_path / "whole", finished=3, evaluated=True)
    make_sweep(tmp_path / "broken", finished=3, evaluated=True)
    damage(tmp_path / "broken")
    found = history()
    assert found["whole"]["state"] == "complete" and found["broken"]["state"] == "unreadable"
    words = "config.yaml is missing: restore it" if damage is no_configuration else "cannot be read"
    assert words in found["broken"]["reason"] and "Traceback" not in found["broken"]["reason"]
    code, out, _ = status(monkeypatch, capsys, "--sweeps", str(tmp_path))
    assert code == 0 and any("unreadable" in line and words in line for line in out.splitlines())


def test_no_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no sweep, the message says how to start one."""
    code, out, err = status(monkeypatch, capsys, "--sweeps", str(tmp_path))
    assert (code, out) == (2, "") and "there is no sweep in" in err and "python -m src.sweep" in err
