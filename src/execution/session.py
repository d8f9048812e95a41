"""A session: one invocation of a sweep, from its lock to its last record.

It knows no console and no command line: observers hear of events and notices, may add events of their own, and finish
what they do when training is over.
"""

import math
import os
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from src.analysis.ranking import Ranking
from src.base.disk import free_bytes
from src.base.errors import RefusedError, UserError
from src.base.processes import Interrupt
from src.base.text import show_bytes
from src.config.identity import budget
from src.config.schema import Config
from src.config.shapes import measure
from src.data.dataset import Dataset
from src.data.load import load
from src.execution.automatic import describe_settled, settle
from src.execution.backend import Backend
from src.execution.coordinator import Coordinator, propose, run
from src.execution.local import LocalBackend, allowed_workers
from src.execution.overview import explain_infeasible
from src.execution.reuse import Library
from src.ledger import environment
from src.ledger.database import Ledger
from src.ledger.events import Checked, Dropped, Event, Stopped
from src.ledger.history import History
from src.ledger.jobs import CheckJob, Slot
from src.ledger.lock import lock_sweep
from src.ledger.notices import Ended, Extended, LookingAhead, NothingLeft, Notice, Observer, Opened, Planned, Stopping
from src.ledger.records import Invocation, PointState, Role, Trial, TrialState
from src.ledger.sweep_folder import create_or_check, forget_refused, similar_sweeps, write_last
from src.search.estimate import bytes_needed
from src.search.problem import SearchProblem
from src.search.schedule import Schedule, is_bounded, is_complete, next_job

PATIENCE = 1.5  # seconds for each observer of a session that was stopped to finish


@dataclass
class Session:
    """A sweep that is open, with its schedule, its ledger and who follows it."""

    schedule: Schedule
    data: Dataset
    path: Path
    ledger: Ledger
    opened: Opened
    interrupt: Interrupt = field(default_factory=Interrupt)  # who runs it puts the one there that counts signals
    observers: list[Observer] = field(default_factory=list)
    backend: Backend | None = None
    drift: str = ""
    began: float = field(default_factory=time.monotonic)

    @property
    def config(self) -> Config:
        """What was asked for."""
        return self.schedule.problem.config

    @property
    def history(self) -> History:
        """The sweep's records."""
        return self.ledger.history

    def slots(self) -> list[Slot]:
        """What runs now."""
        return self.backend.slots() if self.backend else []

    def tell(self, event: Event | Notice | None) -> None:
        """Tell all observers."""
        for observer in self.observers:
            observer.on_event(event)

    def on_event(self, event: Event | None) -> None:
        """Tell all observers of an event, and write down what they have to add."""
        self.tell(event)
        for observer in self.observers:
            for own in observer.poll():
                self.ledger.save(own)
        self.drop_checkpoints()

    def drop_checkpoints(self) -> None:
        """Finished trials beyond those to be kept give up their checkpoints, once MLflow has them if it is used."""
        keep, index = self.config.checkpoints.keep, self.schedule.index
        if keep == "all" or len(index.holding) <= max(keep, 1):
            return
        kept = {trial.number for trial in islice(self.schedule.ranking.best_trials(), max(keep, 1))}
        for trial in map(self.history.trial, sorted(index.holding - kept)):
            is_mirrored = trial.run_id or self.config.tracking.name != "mlflow"
            if is_mirrored and is_ranked(self.schedule.ranking, trial):
                self.ledger.save(Dropped(trial.number))


@contextmanager
def open_session(config: Config, command: str) -> Iterator[Session]:
    """Create or take up the sweep that a configuration names. Raises UserError where that cannot be.

    `command` is written down as what goes on with it.
    """
    began, problem = time.monotonic(), SearchProblem.of(config)
    data = load(config.data)
    problem, path = settle(problem, data)
    settled = describe_settled(config, problem.config)
    config = problem.config
    with lock_sweep(path, config.resume.steal):
        is_new = create_or_check(path, config, data.digest)
        similar = tuple(islice(similar_sweeps(path, config, data.digest), 2)) if is_new else ()
        write_last(path, config, command)
        with closing(Ledger.open(path, problem.objective)) as ledger:
            schedule = Schedule.of(problem, ledger.history)
            with forget_refused(path, ledger.history):
                yield Session(schedule, data, path, ledger, Opened(path, is_new, similar, settled), began=began)


def run_session(session: Session) -> None:
    """Run what is left of a sweep, and finish. Raises UserError where it cannot go on."""
    session.tell(session.opened)
    here = environment.describe()
    session.drift = environment.drift(session.history, here)
    refuse_drift(session)
    session.ledger.save(invocation(session, here))
    recover(session.config, session.ledger)
    asked = session.config.training.epochs
    if session.schedule.until > asked:
        session.tell(Extended(session.schedule.until, asked))
    propose(session.schedule, session.ledger)
    if next_job(session.schedule, ()) is None:
        refuse_infeasible(session.history)
        session.tell(NothingLeft(is_bounded(session.schedule)))
    elif not train(session):
        session.tell(Ended(True))
        return
    finish(session)


def train(session: Session) -> bool:
    """Look ahead, then train; whether it came to that."""
    check_points(session)
    if session.interrupt.count:
        return False
    refuse_infeasible(session.history)
    with workers(session, session.path / "sweep.log") as count:
        look_ahead(session)
        if session.interrupt.count:
            return False
        refuse_infeasible(session.history)
        session.tell(Planned(count))
        refuse_full_disk(session)
        here = session.history.invocations[-1].environment
        library = Library(session.config, session.path, session.data.digest, here, session.drift)
        run(coordinator(session, reuse=library.take, drift=session.drift))
    session.ledger.delete_orphans()  # what a worker that was killed had half written
    return True


@contextmanager
def workers(session: Session, log: Path) -> Iterator[int]:
    """Local worker processes for a session's jobs; how many."""
    session.tell(LookingAhead())
    session.backend = LocalBackend(session.config, session.path, log, session.data.digest, count_useful(session))
    with closing(session.backend) as backend:
        yield len(backend.slots())


def count_useful(session: Session) -> int:
    """How many trials could be under way at once: of the search, or of the confirmation after it."""
    search = session.config.search
    points = sum(point.state.is_open for point in session.history.points)
    return max(points * search.repeats, min(points, search.confirm) * search.confirm_repeats)


def look_ahead(session: Session) -> None:
    """Check all points and measure speed: what must be known before the first trial."""
    run(coordinator(session, ahead_only=True))


def check_points(session: Session) -> None:
    """Check what can be checked without a worker."""
    propose(session.schedule, session.ledger)
    while isinstance(job := next_job(session.schedule, ()), CheckJob) and not session.interrupt.count:
        checked = check(session.data, job)
        session.ledger.save(checked)
        session.on_event(checked)
        propose(session.schedule, session.ledger)


def check(data: Dataset, job: CheckJob) -> Checked:
    """Whether a point's network can be built, and how large it is, by arithmetic."""
    size = measure(job.configuration, data.shape, data.num_classes)
    return Checked(job.point, size.reason, size.parameters, size.operations, size.bytes)


def coordinator(session: Session, **more: Any) -> Coordinator:
    """The loop of a session's jobs."""
    assert session.backend
    jobs = session.schedule, session.ledger, session.backend
    more |= {"check": partial(check, session.data), "on_stop": partial(session.tell, Stopping())}
    return Coordinator(*jobs, session.interrupt, session.on_event, **more)


def finish(session: Session) -> None:
    """Have all observers finish, each unless the user asks once more to stop, or asked before and waits for long."""
    is_done = next_job(session.schedule, ()) is None
    for observer in session.observers:
        until = time.monotonic() + PATIENCE if session.interrupt.count else math.inf
        complete(session.ledger, observer.finish(is_done), session.interrupt, until)
        session.drop_checkpoints()
    session.tell(Ended(bool(session.interrupt.count)))


def complete(
    ledger: Ledger, events: Generator[Event | None, None, None], interrupt: Interrupt, until: float = math.inf
) -> None:
    """Write down what an observer adds while it finishes, unless the user asks once more to stop or it takes too long."""
    asked = interrupt.count
    with closing(events):
        for event in events:
            if event:
                ledger.save(event)
            if interrupt.count > asked or time.monotonic() > until:
                return


# ------------------------------------------------------------------------------------------ pieces


def is_ranked(ranking: Ranking, trial: Trial) -> bool:
    """Whether a finished trial is among `best_trials`: no refit, which is the result, nor one whose point has no place."""
    has_place = (Role.SEARCH, trial.point) in ranking.keys
    is_confirmed = (Role.CONFIRM, trial.point) in ranking.keys and not ranking.open_confirmations
    return trial.role != Role.REFIT and (has_place or is_confirmed)


def invocation(session: Session, here: dict[str, str]) -> Invocation:
    """This start of the sweep, as a record."""
    config, reach = session.config, budget(session.config)
    reach["workers"]["count"] = allowed_workers(config)
    if config.search.prefer == "cheaper":  # what that goes by, for commands that do not load the data
        reach["validation_images"] = len(session.data.validation)
    now, number = time.time(), len(session.history.invocations) + 1
    return Invocation(number, now, now, socket.gethostname(), os.getpid(), reach, here)


def recover(config: Config, ledger: Ledger) -> None:
    """After a kill: what was running was interrupted. Then what the user wants tried again."""
    history = ledger.history
    ledger.delete_orphans()
    for trial in history.trials:
        if trial.state == TrialState.RUNNING:
            ledger.save(Stopped(trial.number))
        if trial.state == TrialState.FAILED and config.search.retry_failed:
            trial.state, trial.crashes = TrialState.WAITING, 0
            ledger.save(trial)
    for point in history.points:
        was_tried = history.crashes[CheckJob.kind, point.number]
        if config.search.retry_failed and point.state == PointState.INFEASIBLE and was_tried:
            point.state, point.reason = PointState.UNCHECKED, ""
            ledger.save(point)


def refuse_drift(session: Session) -> None:
    """Raises UserError where trials would be trained on under versions that give other bits."""
    search, resume = session.config.search, session.config.resume
    is_allowed = not session.drift or resume.allow_drift
    if not is_allowed and (search.retry_failed or not is_complete(session.schedule)):
        raise UserError(
            f"since this sweep was trained, {session.drift} has changed, so its trials would not be comparable to the "
            "last bit: go back to what was, or go on with resume.allow_drift=true (the trials are then marked)."
        )


def refuse_infeasible(history: History) -> None:
    """Raises UserError where none of the points can be trained, with the reasons."""
    points = history.points
    if points and not any(point.state.is_open for point in points):
        raise RefusedError(explain_infeasible(history))


def refuse_full_disk(session: Session) -> None:
    """Raises UserError where checkpoints and MLflow's artifacts would not fit."""
    needed, path = sum(bytes_needed(session.schedule)), session.path
    if free_bytes(path) < needed:
        raise UserError(
            f"the sweep needs about {show_bytes(needed)} of disk and {path} has {show_bytes(free_bytes(path))} free: "
            "make room, or keep less (checkpoints.keep=5 tracking.keep=5)."
        )
