"""A look ahead: what a sweep would do, in memory; nothing is stored."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from src.config.schema import Config
from src.data.load import load
from src.execution.automatic import settle
from src.execution.coordinator import propose
from src.execution.session import Session, check_points, look_ahead, recover, workers
from src.ledger.database import Ledger
from src.ledger.notices import Opened
from src.search.problem import SearchProblem
from src.search.schedule import Schedule


@contextmanager
def open_preview(config: Config) -> Iterator[Session]:
    """The sweep that a configuration names, in memory. Raises UserError as `open_session`."""
    began, problem = time.monotonic(), SearchProblem.of(config)
    data = load(config.data)
    problem, path = settle(problem, data)
    with closing(Ledger.in_memory(path, problem.objective)) as ledger:
        recover(config, ledger)
        schedule = Schedule.of(problem, ledger.history)
        yield Session(schedule, data, path, ledger, Opened(path, False), began=began)


def preview(session: Session) -> int:
    """Check all points and measure speed; the number of workers there are. Raises UserError."""
    propose(session.schedule, session.ledger)
    check_points(session)
    with workers(session, Path(os.devnull)) as count:
        look_ahead(session)
        return count
