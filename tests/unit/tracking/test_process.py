"""The process that follows the ledger: it survives whatever MLflow does, and says how far it is."""

from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from src.ledger.events import Tracked
from src.tracking import process
from src.tracking.mirror import MlflowMirror
from src.tracking.process import STARTS, Begin, Complete, Finish, Outage, Tracker, follow
from tests.unit.tracking.sweeps import make_sweep

# ------------------------------------------------------------------------------ the process' own side


class FakePipe:
    """Says that it may begin, gives one message after so many looks at the ledger, and keeps what is sent."""

    def __init__(self, looks: int, message: Finish) -> None:
        self.looks = looks
        self.messages: list[Begin | Finish] = [Begin(), message]
        self.sent: list[Any] = []
        self.pauses: list[float] = []

    def send(self, message: Any) -> None:
        """To the coordinator."""
        self.sent.append(message)

    def poll(self, pause: float) -> bool:
        """Whether the coordinator has said something."""
        self.pauses.append(pause)
        return len(self.pauses) >= self.looks

    def recv(self) -> Begin | Finish:
        """What it has said."""
        return self.messages.pop(0)


class FakeMirror:
    """Answers each look with events, or raises what stands in their place."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[bool, bool]] = []

    def reconcile(self, finishing: bool, is_done: bool) -> Iterator[Tracked]:
        """As the mirror's."""
        self.asked.append((finishing, is_done))
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        yield from answer


def followed(
    monkeypatch: pytest.MonkeyPatch, folder: Path, mirror: FakeMirror, looks: int, finish: Finish
) -> tuple[FakePipe, list[Any]]:
    """What the process says while it follows a sweep whose ledger changes before each look; how often it opened."""
    stored = make_sweep(folder, "mine")
    opened: list[Any] = []
    times = iter(range(1, 1000))
    monkeypatch.setattr(process, "set_up_mlflow", lambda config: "client")
    monkeypatch.setattr(process, "last_written", lambda path: float(next(times)))

    def open_mirror(*arguments: Any) -> FakeMirror:
        opened.append(arguments)
        return mirror

    monkeypatch.setattr(MlflowMirror, "open", open_mirror)
    pipe = FakePipe(looks, finish)
    follow(pipe, stored.chosen, stored.path)  # type: ignore[arg-type]
    return pipe, opened


@pytest.mark.parametrize("is_done", [True, False])
def test_it_follows_until_it_is_told_to_finish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_done: bool) -> None:
    """Trials are named as they come; at the end once more, with what the coordinator says, and then that it is over."""
    mirror = FakeMirror([Tracked(1, "one")], [], [Tracked(2, "two")])
    pipe, opened = followed(monkeypatch, tmp_path, mirror, 2, Finish(is_done))
    assert pipe.sent == [Tracked(1, "one"), Tracked(2, "two"), Complete()]
    assert mirror.asked == [(False, False), (False, False), (True, is_done)] and len(opened) == 1
    assert pipe.pauses == [process.PAUSE] * 2


def test_a_ledger_that_is_as_it_was_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Looking at when it was written is enough, until the end."""
    mirror = FakeMirror()
    stored = make_sweep(tmp_path, "mine")
    monkeypatch.setattr(process, "set_up_mlflow", lambda config: "client")
    monkeypatch.setattr(process, "last_written", lambda path: 5.0)
    monkeypatch.setattr(MlflowMirror, "open", lambda *_: mirror)
    pipe = FakePipe(4, Finish(True))
    follow(pipe, stored.chosen, stored.path)  # type: ignore[arg-type]
    assert mirror.asked == [(False, False), (True, True)] and len(pipe.pauses) == 4


def test_trouble_is_told_and_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What fails is tried again with a fresh mirror, ever less often; once it works, that is told too."""
    mirror = FakeMirror(ConnectionError("refused\nand more"), ConnectionError("x" * 500), [Tracked(1, "one")])
    pipe, opened = followed(monkeypatch, tmp_path, mirror, 3, Finish(True))
    first, second, *rest = pipe.sent
    assert first == Outage("ConnectionError: refused") and isinstance(second, Outage) and len(second.message) <= 160
    assert rest == [Tracked(1, "one"), Outage(""), Complete()]
    assert pipe.pauses == [2 * process.PAUSE, 4 * process.PAUSE, process.PAUSE] and len(opened) == 3


def test_pauses_do_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server that is down for hours is asked every half a minute."""
    mirror = FakeMirror(*(ConnectionError("refused") for _ in range(9)))
    pipe, _ = followed(monkeypatch, tmp_path, mirror, 9, Finish(True))
    assert max(pipe.pauses) == process.LONGEST_PAUSE and pipe.sent[-1] == Complete()


def test_trouble_at_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the last of it cannot be written, that is told instead of the end, and the process ends."""
    mirror = FakeMirror([], ConnectionError("refused"))
    pipe, _ = followed(monkeypatch, tmp_path, mirror, 1, Finish(True))
    assert pipe.sent == [Outage("ConnectionError: refused")]


# ------------------------------------------------------------------------------ the coordinator's side


class FakeProcesses:
    """In the place of `start_process`: pipes without processes, which die when they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends: list[Any] = []
        self.processes: list[Any] = []
        monkeypatch.setattr(process, "start_process", self.start)

    def start(self, target: Any, name: str, *arguments: Any) -> tuple[Any, Any]:
        """A process that does nothing, and our end of its pipe."""
        ours, theirs = Pipe()
        alive = SimpleNamespace(exitcode=None)
        alive.is_alive = lambda: alive.exitcode is None
        self.processes.append(alive)
        self.ends.append(theirs)
        return alive, ours

    def die(self, code: int = 1) -> None:
        """The latest one ends."""
        self.processes[-1].exitcode = code
        self.ends[-1].close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> FakeProcesses:
    """No process is started."""
    return FakeProcesses(monkeypatch)


def tracker() -> Tracker:
    """As a session makes it."""
    return Tracker(None, Path("mine"), Path("log"))  # type: ignore[arg-type]


def test_messages_of_the_process(started: FakeProcesses) -> None:
    """Trials are handed on; trouble is what was said last; the end is the end."""
    one = tracker()
    (end,) = started.ends
    for message in (Tracked(1, "one"), Outage("down"), Tracked(2, "two")):
        end.send(message)
    assert list(one.poll()) == [Tracked(1, "one"), Tracked(2, "two")] and one.trouble == "down" and not one.done
    end.send(Outage(""))
    end.send(Complete())
    assert list(one.poll()) == [] and one.trouble == "" and one.done and not one.is_alive()


@pytest.mark.parametrize("is_done", [True, False])
def test_it_is_asked_to_finish(started: FakeProcesses, is_done: bool) -> None:
    """The process hears whether the sweep is complete."""
    tracker().finish(is_done)
    assert started.ends[0].recv() == Finish(is_done)


def test_a_process_that_dies_is_replaced(started: FakeProcesses) -> None:
    """Another takes its place, and hears what the first was asked; but not for ever."""
    one = tracker()
    one.finish(False)
    for count in range(1, STARTS):
        started.die(-9)
        assert one.is_alive() and list(one.poll()) == [] and len(started.ends) == count + 1
        assert started.ends[-1].recv() == Finish(False)
    started.die(-9)
    assert not one.is_alive() and list(one.poll()) == [] and len(started.ends) == STARTS and not one.done


def test_a_process_that_ends_by_itself_is_not_replaced(started: FakeProcesses) -> None:
    """It has done what it could: its last message says what."""
    one = tracker()
    started.ends[-1].send(Outage("down"))
    started.die(0)
    assert list(one.poll()) == [] and one.trouble == "down" and not one.is_alive() and len(started.ends) == 1


def test_asking_one_that_has_died(started: FakeProcesses) -> None:
    """Nothing is raised: its successor is asked."""
    one = tracker()
    started.die(1)
    one.finish(True)
    assert list(one.poll()) == [] and started.ends[-1].recv() == Finish(True)
