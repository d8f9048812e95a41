"""The loop of a sweep: ask what is next, give it to a worker, write down what comes back."""

from collections.abc import Callable

from src.base.errors import UserError
from src.base.processes import Interrupt
from src.execution.local import Pool
from src.ledger.database import Ledger
from src.ledger.events import Event, Failed, Reused, Started, Stopped
from src.ledger.jobs import TrainJob
from src.search.problem import Plan
from src.search.proposals import new_points
from src.search.schedule import new_trials, newly_pruned, next_job

Take = Callable[[TrainJob], Reused | None]  # what another sweep has of it

WAIT = 0.5  # seconds between looks at the clock while no worker says anything


def run(
    plan: Plan,
    ledger: Ledger,
    pool: Pool,
    interrupt: Interrupt,
    tell: Callable[[Event | None], None],
    take: Take = lambda job: None,
) -> None:
    """Work until there is nothing left to do, or the user asks to stop.

    `tell` hears of every event, and of None while nothing happens.
    """
    while True:
        if interrupt.count and not pool.stopping:
            pool.stop()
        if interrupt.count > 1:
            break
        event: Event | None = fill(plan, ledger, pool, take)
        if not event:
            if is_over(plan, ledger, pool):
                break
            event = pool.next_event(WAIT)
        if event:
            ledger.save(event)
        if isinstance(event, Failed) and event.kind == "disk":
            raise UserError(event.message)
        tell(event)
    for job in pool.busy():  # a second signal: put down at once, to go on from the last checkpoint
        if isinstance(job, TrainJob):
            ledger.save(Stopped(job.trial))


def fill(plan: Plan, ledger: Ledger, pool: Pool, take: Take) -> Reused | None:
    """Work for workers that have none, and new rows for what is proposed; up to a trial that need not be trained."""
    if pool.stopping:
        return None
    for worker in pool.free():
        propose(plan, ledger)
        job = next_job(plan, ledger.history, pool.busy())
        if job is None:
            break
        if isinstance(job, TrainJob):
            if reused := take(job):
                return reused
            ledger.save(Started(job.trial, job.attempt, plan.drift))
        pool.give(worker, job)
    return None


def propose(plan: Plan, ledger: Ledger) -> None:
    """Write down the points and trials that the plan adds to the rows."""
    for event in newly_pruned(plan, ledger.history):
        ledger.save(event)
    for trial in new_trials(plan, ledger.history):
        ledger.save(trial)
    for point in new_points(plan, ledger.history):
        ledger.save(point)


def is_over(plan: Plan, ledger: Ledger, pool: Pool) -> bool:
    """Whether nothing is under way and nothing is left to do."""
    if not pool.is_idle():
        return False
    if pool.stopping:
        return True
    propose(plan, ledger)
    return next_job(plan, ledger.history, ()) is None
