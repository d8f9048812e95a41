"""What a person sees on a terminal while a sweep runs: a bar, a line for each slot, the best so far."""

from rich.console import Group

from src.ledger.events import EpochEnded, Started
from src.ledger.jobs import CheckJob, EvaluateJob, Job, Slot
from src.ledger.notices import LookingAhead, Stopping
from tests.unit.examples import check, file, train_job, trial_config
from tests.unit.reporting.screens import Clock, Stage, second


def test_drawn_while_points_are_checked() -> None:
    """A bar of the points, and what each slot does: starting, a check, nothing."""
    slots = [Slot(1, False), Slot(2, True, CheckJob(2, trial_config())), Slot(3, True)]
    stage = Stage(slots=slots, is_checked=False)
    check(stage.history, 1)
    assert stage.drawn() == [
        "━━━━━━━━━━━━━━━━━━━━                     1/2 points checked",
        "  worker 1: starting TensorFlow",
        "  worker 2: point 2 (check)",
        "  worker 3: waiting",
    ]


def test_drawn_while_trials_train() -> None:
    """A bar of the trials with the time left, each slot's trial with its last epoch, and the best so far."""
    jobs: tuple[Job, ...] = (train_job(2), train_job(3), EvaluateJob(1, 1, trial_config(), file("b")))
    stage = Stage(("search.repeats=2",), slots=[Slot(number, True, job) for number, job in enumerate(jobs, 1)])
    stage.train(1, 0.2, 0.6, 0.4)
    stage.history.apply(Started(2, 1), 0)
    stage.hear(EpochEnded(2, second(1, 0.5), None))
    assert stage.drawn() == [
        "━━━━━━━━━━                               1/4 trials; 4 s left",
        "  worker 1: trial 2 (activation=tanh) epoch 1/3: accuracy 0.5000 loss 1.0000 val_accuracy 0.5000 val_loss 0.5000",
        "  worker 2: trial 3 (activation=relu) epoch 0/3",
        "  worker 3: trial 1 (evaluate)",
        "best so far: trial 1, val_accuracy 0.6000 (activation=relu)",
    ]
    stage.train(3, 0.7, 0.6, 0.4)
    assert stage.drawn()[-1] == "best so far: trial 3, val_accuracy 0.6500 over 2 seeds (activation=relu)"


def test_drawn_while_it_stops() -> None:
    """Asked to stop, the last line says when it will, and how to stop at once."""
    stage = Stage(is_terminal=True)
    stage.hear(Stopping())
    assert stage.drawn()[-1] == "stopping at the end of the running epochs; once more to stop at once"
    assert stage.lines() == [], "on a terminal it is drawn, and not printed"


def test_a_terminal_is_drawn_on_as_things_happen(clock: Clock) -> None:
    """From looking ahead on it is drawn, with each event but no more than four times a second, until training is over."""
    stage = Stage(is_terminal=True)
    drawings: list[float] = []

    def draw() -> Group:
        drawings.append(clock.now - 1e6)
        return stage.screen.progress.draw()

    stage.screen.live._get_renderable = draw
    stage.hear(None)
    assert drawings == []
    stage.hear(LookingAhead())
    assert drawings
    drawings.clear()
    for _ in range(8):
        clock.now += 0.125
        stage.hear(None)
    assert drawings == [0.25, 0.5, 0.75, 1.0]
    for _ in stage.screen.finish(True):
        pass
    drawings.clear()
    clock.now += 9
    stage.hear(None)
    assert drawings == [] and not stage.screen.live.is_started


def test_nothing_is_drawn_elsewhere() -> None:
    """With no terminal there are lines only."""
    stage = Stage()
    with stage.screen:
        stage.hear(LookingAhead(), None, None)
        assert stage.lines() == ["starting workers, measuring speed …"] and not stage.screen.live.is_started
