"""What is said of a running sweep where there is no terminal, and how often."""

from src.ledger.events import EpochEnded, Started
from src.ledger.jobs import EvaluateJob, Job, ProbeJob, Slot
from src.ledger.notices import Ended, LookingAhead, Stopping
from src.reporting.progress import SELDOM, SOON
from tests.unit.examples import file, train_job, trial_config
from tests.unit.reporting.screens import Clock, Stage, second


def slots_of(*jobs: Job) -> list[Slot]:
    """Workers with these jobs."""
    return [Slot(number, True, job) for number, job in enumerate(jobs, 1)]


def lines_in(stage: Stage, clock: Clock, seconds: int) -> list[int]:
    """The seconds after which there is a line, while nothing else happens."""
    said = []
    for passed in range(1, seconds + 1):
        clock.now += 1
        before = len(stage.lines())
        stage.hear(None)
        said += [passed] * (len(stage.lines()) - before)
    return said


def said(stage: Stage) -> str:
    """The line, up to the time left, which it ends with."""
    line, _, left = stage.screen.progress.describe().rpartition("; ")
    assert left.endswith("s left")
    return line


def test_what_runs() -> None:
    """Trials done of all, each job with the epochs that it has had, and the time left."""
    stage = Stage(("search.repeats=2",), slots=slots_of(train_job(2), train_job(3)))
    stage.train(1, 0.2, 0.6, 0.4)
    stage.history.apply(Started(2, 1), 0)
    stage.hear(EpochEnded(2, second(1, 0.5), None))
    assert said(stage) == "    1/4  running: trial 2 (1/3 epochs), trial 3 (0/3 epochs)"


def test_other_jobs() -> None:
    """Before trials and after them it is said what is done; of many jobs only some are told."""
    stage = Stage(slots=slots_of(ProbeJob(2, 5, trial_config()), EvaluateJob(1, 1, trial_config(), file("b"))))
    assert said(stage) == "    0/2  running: point 2 (probe), trial 1 (evaluate)"
    stage.slots = slots_of(*(train_job(1 + place % 2) for place in range(9)))
    assert said(stage).endswith("trial 2 (0/3 epochs), 5 more")


def test_when_nothing_runs() -> None:
    """Workers are being started, or wait."""
    stage = Stage(slots=[Slot(1, True), Slot(2, False)])
    assert said(stage) == "    0/2  starting workers"
    stage.slots = [Slot(1, True)]
    assert said(stage) == "    0/2  waiting"


def test_a_wish_to_stop() -> None:
    """What runs is said to stop."""
    stage = Stage(slots=slots_of(train_job(1)))
    stage.hear(Stopping())
    assert said(stage) == "    0/2  stopping: trial 1 (0/3 epochs)"


def test_a_silence_is_broken_soon_at_first_and_then_more_seldom(clock: Clock) -> None:
    """A line after ten seconds, then after a tenth of the time that the sweep has taken, at last one a minute."""
    stage = Stage()
    assert lines_in(stage, clock, 30) == [], "before it begins nobody waits"
    stage.hear(LookingAhead())
    assert lines_in(stage, clock, 100) == list(range(10, 101, 10))
    clock.now += 10_000
    stage.hear(None)
    assert lines_in(stage, clock, 200) == [60, 120, 180]
    assert (SOON, SELDOM) == (10, 60)


def test_what_is_said_anyway_breaks_the_silence(clock: Clock) -> None:
    """After the line of a trial there is none for a while."""
    stage = Stage()
    stage.hear(LookingAhead())
    clock.now += 9
    stage.train(1, 0.2)
    assert lines_in(stage, clock, 12) == [10]


def test_after_training_it_is_quiet(clock: Clock) -> None:
    """What is written then says so itself; nor is there anything after the end."""
    for end in (lambda stage: list(stage.screen.finish(True)), lambda stage: stage.hear(Ended(False))):
        stage = Stage()
        stage.hear(LookingAhead())
        end(stage)
        assert lines_in(stage, clock, 60) == []


def test_a_terminal_has_no_such_lines(clock: Clock) -> None:
    """There it is drawn."""
    stage = Stage(is_terminal=True)
    stage.hear(LookingAhead())
    clock.now += 100
    stage.hear(None)
    assert not any("running:" in line or "waiting;" in line for line in stage.lines())
    stage.screen.live.stop()
