"""How a session is followed by the process that writes to MLflow; here nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from src.ledger.events import Checked, Event, Mirrored, Tracked
from src.ledger.notices import Completed, Completing, Ended, LookingAhead, Notice, Planned, Trouble
from src.ledger.records import Invocation
from src.tracking import observer as module
from src.tracking.observer import MlflowObserver, mirror_revision
from tests.unit.examples import config, epoch, finish, history_of

WRITING = Completing("writing the last of it to MLflow", may_wait=True)


@dataclass
class Process:
    """In the place of the process: what it says next, and whether it comes to its end."""

    says: list[Tracked] = field(default_factory=list)
    trouble: str = ""
    looks: int = 2  # until it has ended
    succeeds: bool = True
    done: bool = False
    begun: int = 0
    asked: list[bool] = field(default_factory=list)
    is_closed: bool = False

    def poll(self) -> Iterator[Tracked]:
        """What it has said."""
        while self.says:
            yield self.says.pop(0)

    def begin(self) -> None:
        """It may write."""
        self.begun += 1

    def finish(self, is_done: bool) -> None:
        """It is asked for the last of it."""
        self.asked.append(is_done)

    def is_alive(self) -> bool:
        """For some looks."""
        self.looks -= 1
        self.done = self.succeeds and self.looks < 0
        return self.looks >= 0

    def close(self) -> None:
        """Its end."""
        self.is_closed = True


@dataclass
class Stage:
    """An observer of a sweep with two finished trials, the processes that it starts, and what it tells."""

    folder: Path
    processes: list[Process] = field(default_factory=list)
    told: list[Notice] = field(default_factory=list)
    begins: Process = field(default_factory=Process)

    def __post_init__(self) -> None:
        self.history = history_of()
        for number in (1, 2):
            finish(self.history, number, epoch(1))
        self.history.invocations.append(Invocation(1, 1.0, 1.0, "here", 1, {}, {}))
        self.config = config(f"paths.mlruns={self.folder}/mlruns")
        self.observer = MlflowObserver(self.config, self.folder, self.history, self.told.append)

    def start(self, *_: Any) -> Process:
        """A process is started."""
        self.processes.append(self.begins)
        return self.begins

    def hear(self, *events: Event | Notice | None) -> list[Event]:
        """What the observer adds after each of these."""
        added: list[Event] = []
        for event in events:
            self.observer.on_event(event)
            added += self.observer.poll()
        return added


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Nothing is started yet."""
    made = Stage(tmp_path)
    monkeypatch.setattr(module, "Tracker", made.start)
    monkeypatch.setattr(module, "STEP", 0)
    return made


def test_started_ahead_of_training(stage: Stage) -> None:
    """It imports while points are checked; what is refused before it trains writes nothing; the first event after the
    plan lets it write, once."""
    stage.hear(LookingAhead(), Checked(1, ""), None, Planned(2))
    assert [one.begun for one in stage.processes] == [0]
    with stage.observer:
        stage.hear(None, Checked(2, ""), None)
        assert [one.begun for one in stage.processes] == [1]
    assert stage.begins.is_closed


def test_what_mlflow_has_is_added(stage: Stage) -> None:
    """Trials that the process names are handed on, each once."""
    stage.begins.says = [Tracked(1, "a"), Tracked(2, "b")]
    assert stage.hear(LookingAhead(), Planned(2), None, None) == [Tracked(1, "a"), Tracked(2, "b")]


def test_trouble_is_said_once(stage: Stage) -> None:
    """As long as it lasts it is said once; another one, and the same one after an end of it, are said too."""
    for trouble in ("it does not answer", "it does not answer", "its disk is full", "", "", "its disk is full"):
        stage.begins.trouble = trouble
        stage.hear(Planned(2), None)
    words = "(training goes on; the runs are completed as soon as it answers)"
    assert stage.told == [
        Trouble(f"MLflow: {trouble} {words}") for trouble in ("it does not answer", *["its disk is full"] * 2)
    ]


def test_finished(stage: Stage) -> None:
    """The process is asked for the last of it and waited for; then it is written down what MLflow shows."""
    stage.hear(Planned(2), None)
    stage.begins.says = [Tracked(1, "a")]
    added = list(stage.observer.finish(is_done=False))
    assert added == [Tracked(1, "a"), None, None, Mirrored(mirror_revision(stage.config, stage.history))]
    assert stage.begins.asked == [False] and stage.told == [WRITING, Completed("MLflow")]
    assert len(stage.processes) == 1


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("", "it was stopped, or its process ended ({}/sweep.log says why)"),
        ("it does not answer", "it does not answer"),
    ],
)
def test_a_process_that_ends_before(stage: Stage, trouble: str, reason: str) -> None:
    """Where it does not come to its end, it is said why, and nothing is written down."""
    stage.begins = Process(succeeds=False, trouble=trouble)
    assert [event for event in stage.observer.finish(True) if event] == []
    assert stage.told[-1] == Completed("MLflow", reason.format(stage.folder.name))


def test_left_before_its_end(stage: Stage) -> None:
    """Who does not wait any longer is told that it is not complete."""
    stage.begins = Process(looks=1000, trouble="it does not answer")
    events = stage.observer.finish(True)
    assert next(events) is None
    events.close()
    assert stage.told == [WRITING, Completed("MLflow", "it does not answer")]


def test_nothing_to_do_where_mlflow_has_it(stage: Stage) -> None:
    """A sweep that trained nothing, and whose records MLflow was found complete with, starts no process; with another
    trial, another folder or other options it does."""
    stage.history.apply(Mirrored(mirror_revision(stage.config, stage.history)), 0)
    assert list(stage.observer.finish(True)) == []
    stage.hear(Planned(2), Ended(True))
    assert stage.processes == [] and stage.told == []
    finish(stage.history, 3, epoch(1))
    list(stage.observer.finish(True))
    assert len(stage.processes) == 1


@pytest.mark.parametrize("key", ["tracking.keep=1", "tracking.uri=http://localhost:1", "paths.mlruns=elsewhere"])
def test_what_mlflow_shows_depends_on(stage: Stage, key: str) -> None:
    """Its place, its options, and the records; without MLflow there is nothing."""
    base = f"paths.mlruns={stage.folder}/mlruns"
    before = mirror_revision(stage.config, stage.history)
    assert mirror_revision(config(base, key), stage.history) != before
    assert mirror_revision(config(base, "search.repeats=3"), stage.history) == before
    assert mirror_revision(config(base, "tracking=none"), stage.history) == ""
    (stage.folder / "mlruns").mkdir()
    (stage.folder / "mlruns" / "mlflow.db").touch()
    assert mirror_revision(stage.config, stage.history) != before, "a database that was deleted is written anew"
