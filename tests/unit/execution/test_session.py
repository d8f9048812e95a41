"""One invocation of a sweep: what its observers hear and in which order, what they add, and how it ends."""

import os
import signal
from collections.abc import Iterator
from itertools import repeat

import pytest
from rich.console import Console

from src import api
from src.base.processes import Interrupt
from src.execution import preview as preview_module
from src.execution import session as module
from src.execution.local import allowed_workers
from src.execution.preview import open_preview, preview
from src.ledger.events import Checked, EpochEnded, Event, Finished, Mirrored, Tracked
from src.ledger.notices import Ended, Extended, LookingAhead, NothingLeft, Opened, Planned
from src.ledger.records import Evaluation, Probe, TrialState
from src.ledger.sweep_folder import last_command, last_config
from tests.unit.execution.answers import describe
from tests.unit.execution.sessions import Heard, Home, Witness, opened


def is_epoch(event: Heard) -> bool:
    """An epoch has ended."""
    return isinstance(event, EpochEnded)


# ------------------------------------------------------------------------------------- from start to end


def test_a_new_sweep_from_start_to_end(home: Home) -> None:
    """Opened, checks, looking ahead, probes, the plan with its slots, trainings and the evaluation, the end."""
    witness = Witness()
    home.run(witness)
    heard = witness.heard
    assert heard[0] == Opened(home.folder(), True) and heard[-1] == Ended(False)
    assert [describe(event) for event in heard[1:5]] == ["checked 1", "checked 2", "checked 3", "checked 4"]
    assert heard[5] == LookingAhead()
    assert [describe(event) for event in heard[6:9]] == ["probe 1", "probe 3", "probe 4"]
    assert heard[9] == Planned(2)
    assert [type(event) for event in heard[10:-1]].count(Finished) == 4 and isinstance(heard[-2], Evaluation)
    assert {trial.state for trial in home.history().trials} == {TrialState.FINISHED}
    assert witness.finished == [True]


def test_what_an_invocation_writes_down(home: Home) -> None:
    """When, where, by whom, with which budget and in which versions it ran, and the command that goes on with it."""
    session = home.run(overrides=("search.max_trials=3",))
    (invocation,) = home.history().invocations
    assert (invocation.number, invocation.pid, invocation.environment) == (1, os.getpid(), {"keras": "1", "git": "abc"})
    assert invocation.started <= invocation.ended
    assert invocation.budget["search"]["max_trials"] == 3 and invocation.budget["training"]["epochs"] == 2
    assert invocation.budget["workers"] == {"count": allowed_workers(session.config)}
    assert last_command(home.folder()) == "the command"
    assert last_config(home.folder()).model_dump() == session.config.model_dump()


def test_costs_decide_the_same_after_a_stop(home: Home) -> None:
    """With search.prefer=cheaper an invocation notes how many images validate, by which a sweep that was stopped before
    its last rung promotes the same trial as one that was not."""
    overrides = ("search.pruner=top_k", "search.keep=1", "search.prefer=cheaper")
    home.run(home.interrupt_at(is_epoch), overrides=overrides)
    home.again(overrides=overrides)
    assert [invocation.budget["validation_images"] for invocation in home.history().invocations] == [6, 6]
    stopped = [(trial.state, trial.reason) for trial in home.history().trials]
    assert stopped == [
        ("finished", ""),
        ("pruned", "place 3 of 4 after 1 epoch"),
        ("pruned", "place 2 of 4 after 1 epoch"),
        ("pruned", "place 1 of 4 after 1 epoch; one within a standard error costs less"),
    ]


def test_a_complete_sweep_says_so(home: Home) -> None:
    """The same sweep once more: nothing is started, observers are asked to finish all the same."""
    home.run()
    before, witness = home.history(), Witness()
    home.run(witness)
    assert witness.heard == [Opened(home.folder(), False), NothingLeft(False), Ended(False)]
    assert witness.finished == [True] and len(home.backends) == 1
    assert home.history().trials == before.trials and len(home.history().invocations) == 2


def test_nothing_left_within_a_budget(home: Home) -> None:
    """Where a larger budget would go on, that is said; the larger budget does."""
    home.slots, witness = 1, Witness()
    for _ in range(2):
        home.run(witness, overrides=("search.max_epochs=4",))
    assert witness.heard[-2] == NothingLeft(True)
    assert [len(trial.epochs) for trial in home.history().trials] == [2, 2, 0, 0]
    home.run(overrides=("search.max_epochs=6",))
    assert [len(trial.epochs) for trial in home.history().trials] == [2, 2, 2, 0]


def test_fewer_epochs_than_trials_have_had(home: Home) -> None:
    """It is said that all are trained as far as the furthest."""
    home.run(overrides=("search.max_trials=2",))
    witness = Witness()
    home.run(witness, overrides=("training.epochs=1",))
    assert witness.heard[1] == Extended(2, 1)
    assert [len(trial.epochs) for trial in home.history().trials] == [2] * 4


def test_similar_sweeps_are_named(home: Home) -> None:
    """A new sweep that differs in a key from one that is not complete names both; one taken up names none."""
    home.run(home.interrupt_at(is_epoch))
    home.interrupt = Interrupt()
    for is_new in (True, False):
        witness = Witness()
        home.run(witness, overrides=("name=other", "training.batch_size=7"))
        similar = opened(witness).similar
        assert opened(witness).is_new == is_new
        assert [list(changed) for _, changed in similar] == [["training.batch_size"]] * is_new


def test_as_many_slots_as_there_is_work(home: Home) -> None:
    """No more are asked for than there are points that may be trained."""
    home.slots = 100
    witness = Witness()
    home.run(witness, overrides=("search.constraints=['architecture.kernel > 3']",))
    assert Planned(2) in witness.heard


# --------------------------------------------------------------------------------------- observers


def test_what_observers_add_is_written_down(home: Home) -> None:
    """After each event every observer is asked for its own; these are on disk, and are told to nobody."""
    waiting: list[Event] = []

    def take() -> list[Event]:
        taken, waiting[:] = list(waiting), []
        return taken

    def react(event: Heard) -> None:
        if isinstance(event, Finished):
            waiting.append(Tracked(event.trial, f"run {event.trial}"))

    first, second = Witness(adds=take), Witness(reacts=react)
    home.run(first, second)
    assert [trial.run_id for trial in home.history().trials] == ["run 1", "run 2", "run 3", "run 4"]
    assert first.heard == second.heard and not any(isinstance(event, Tracked) for event in first.heard)


def test_all_observers_finish(home: Home) -> None:
    """Each is asked in its turn, also after one that waits, and what they add last is written down."""
    order: list[str] = []

    def end(name: str, *events: Event | None) -> Iterator[Event | None]:
        for event in events:
            order.append(name)
            yield event

    first = Witness(ends=lambda: end("first", None, None, Mirrored("here")))
    second = Witness(ends=lambda: end("second", None))
    home.run(first, second)
    assert order == ["first", "first", "first", "second"]
    assert home.history().invocations[-1].mirrored == "here"
    assert not first.was_left and not second.was_left
    assert first.heard[-1] == second.heard[-1] == Ended(False), "the end is told after all have finished"


def test_a_signal_leaves_what_is_waited_for(home: Home) -> None:
    """Asked to stop while an observer finishes, it is left; the next one is asked all the same."""

    def wait() -> Iterator[Event | None]:
        yield None
        home.stop()
        yield from repeat(None)

    first, last = Witness(ends=wait), Witness(ends=lambda: iter([None, Mirrored("here")]))
    home.run(first, last)
    assert first.was_left and last.finished == [True] and not last.was_left
    assert first.heard[-1] == Ended(True) and home.history().invocations[-1].mirrored == "here"


def test_a_stopped_sweep_waits_too(home: Home) -> None:
    """Asked to stop while it trains, a sweep still waits for its observers, for a moment; they are told that it is not
    complete."""
    first, last = home.interrupt_at(is_epoch), Witness(ends=lambda: iter([None, Mirrored("here"), None]))
    home.run(first, last)
    assert first.finished == last.finished == [False] and not last.was_left
    assert home.history().invocations[-1].mirrored == "here"


def test_a_stopped_sweep_does_not_wait_for_long(home: Home) -> None:
    """Who has not finished by then is left, and so is the next one, which is asked all the same."""
    home.patch.setattr(module, "PATIENCE", -1.0)
    first, last = home.interrupt_at(is_epoch), Witness(ends=lambda: repeat(None))
    first.ends = lambda: repeat(None)
    home.run(first, last)
    assert first.was_left and last.was_left and last.finished == [False]
    assert first.heard[-1] == Ended(True)


def test_stopped_while_an_observer_writes(home: Home) -> None:
    """Where one that cannot be left is asked to stop, those after it are not waited for either."""

    def write() -> Iterator[Event | None]:
        home.stop()
        yield None

    home.patch.setattr(module, "PATIENCE", -1.0)
    first, last = Witness(ends=write), Witness(ends=lambda: repeat(None))
    home.run(first, last)
    assert last.was_left and last.finished == [True] and first.heard[-1] == Ended(True)


# ------------------------------------------------------------------------------------------- stopped


@pytest.mark.parametrize(("kind", "notices"), [(Checked, []), (Probe, ["LookingAhead", "Stopping"])])
def test_stopped_while_it_looks_ahead(home: Home, kind: type, notices: list[str]) -> None:
    """Asked to stop before the plan is there, it ends: no trial begins, and no observer has anything to finish."""
    witness = home.interrupt_at(lambda event: isinstance(event, kind))
    home.run(witness)
    assert witness.notices() == ["Opened", *notices, "Ended"]
    assert witness.heard[-1] == Ended(True) and witness.finished == []
    assert not any(trial.attempts for trial in home.history().trials)
    home.again()
    assert {trial.state for trial in home.history().trials} == {TrialState.FINISHED}


def test_stopped_while_it_trains(home: Home) -> None:
    """Asked to stop, the wish is told, what runs is put down; the same sweep goes on from there."""
    witness, epochs = home.interrupt_at(is_epoch), ("training.epochs=4",)
    home.run(witness, overrides=epochs)
    assert witness.notices() == ["Opened", "LookingAhead", "Planned", "Stopping", "Ended"]
    assert witness.heard[-1] == Ended(True)
    assert [trial.state for trial in home.history().trials[:2]] == [TrialState.INTERRUPTED] * 2
    home.again(overrides=epochs)
    assert [(trial.state, trial.attempts) for trial in home.history().trials] == [
        *[(TrialState.FINISHED, 2)] * 2,
        *[(TrialState.FINISHED, 1)] * 2,
    ]


def test_stopped_at_once(home: Home) -> None:
    """Asked twice, what runs is ended with the backend, and observers are still asked to finish."""
    witness = home.interrupt_at(is_epoch, times=2)
    home.run(witness)
    assert witness.notices() == ["Opened", "LookingAhead", "Planned", "Ended"] and witness.finished == [False]
    assert not any(slot.job for slot in home.backends[0].slots())
    assert [trial.state for trial in home.history().trials[:2]] == [TrialState.INTERRUPTED] * 2


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_while_data_is_loaded(home: Home) -> None:
    """Until the sweep is open Ctrl-C ends it at once, as any program: data may be on its way from far."""
    for place in (module, preview_module):
        home.patch.setattr(place, "load", lambda data: signal.raise_signal(signal.SIGINT))
    for overrides in ((), ("preview=true",)):
        with pytest.raises(KeyboardInterrupt):
            api.run(home.config(*overrides), Console(quiet=True), "")
    assert not (home.root / "sweeps").exists()


# ----------------------------------------------------------------------------------------- preview


def test_preview_stores_nothing(home: Home) -> None:
    """A preview checks and probes, says how many slots there are, and leaves no file behind; it trains nothing."""
    witness = Witness()
    with open_preview(home.config()) as session:
        session.observers.append(witness)
        assert preview(session) == 2
        assert [type(event) for event in witness.heard] == [*[Checked] * 4, LookingAhead, *[Probe] * 3]
        assert [trial.state for trial in session.history.trials] == [TrialState.WAITING] * 4
    assert not (home.root / "sweeps").exists()


def test_a_preview_that_is_stopped(home: Home) -> None:
    """Asked to stop, a preview says so too."""
    witness = home.interrupt_at(lambda event: isinstance(event, Probe))
    with open_preview(home.config()) as session:
        session.observers.append(witness)
        session.interrupt = home.interrupt
        preview(session)
    assert witness.notices() == ["LookingAhead", "Stopping"]


def test_preview_of_a_sweep_that_exists(home: Home) -> None:
    """What is known already is taken as known, and stays as it is on disk."""
    home.run(home.interrupt_at(is_epoch))
    before = home.history()
    with open_preview(home.config("search.repeats=2")) as session:
        preview(session)
        assert len(session.history.trials) == 8 and not session.history.invocations[1:]
    assert home.history() == before
