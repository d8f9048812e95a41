"""For the tests of what a person sees."""

import logging
import time
from collections.abc import Iterator

import pytest

from tests.unit.reporting.screens import Clock


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What goes to the log; the logger is as it was afterwards."""
    logger = logging.getLogger("sweep")
    before, is_raising = (list(logger.handlers), logger.propagate, logger.level), logging.raiseExceptions
    logger.handlers, logger.propagate = [], True
    with caplog.at_level(logging.INFO, "sweep"):
        yield caplog
    (logger.handlers, logger.propagate, logger.level), logging.raiseExceptions = before, is_raising


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Goes on only as a test says."""
    monkeypatch.setattr(time, "monotonic", clock := Clock())
    return clock
