"""What is stored of jobs does not depend on what their classes are called."""

import sqlite3
from pathlib import Path
from typing import get_args

from src.ledger.database import Ledger, read_history
from src.ledger.events import Failed
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause
from tests.unit.examples import file, train_job, trial_config

JOBS: dict[str, Job] = {  # by what is stored
    "check": CheckJob(2, trial_config()),
    "probe": ProbeJob(2, 100, trial_config()),
    "train": train_job(1),
    "evaluate": EvaluateJob(1, 1, trial_config(), file("1-best")),
}
SUBJECTS = {"check": 2, "probe": 2, "train": 1, "evaluate": 1}  # a point's number, or a trial's


def test_every_kind_of_job_is_known_here() -> None:
    """The table above holds each, and no two are stored as one."""
    assert {type(job) for job in JOBS.values()} == set(get_args(Job))
    assert {kind: (job.kind, job.subject) for kind, job in JOBS.items()} == {
        kind: (kind, subject) for kind, subject in SUBJECTS.items()
    }


def test_failures_are_stored_by_kind(ledger: Ledger, tmp_path: Path) -> None:
    """A failure's row has the job's kind, its subject and the cause, as ledgers of before have them."""
    for job in JOBS.values():
        ledger.save(Failed(job, Cause.CRASH, "its end", "Traceback …"))
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        rows = connection.execute("SELECT number, job, subject, cause FROM failures").fetchall()
    connection.close()
    stored = [(1, "check", 2), (2, "probe", 2), (3, "train", 1), (4, "evaluate", 1)]
    assert rows == [(*row, "crash") for row in stored]
    history = read_history(tmp_path, ACCURACY)
    assert history.crashes == dict.fromkeys(SUBJECTS.items(), 1)
    assert [history.last_failures[TrainJob.kind, 1].number, history.last_failures[CheckJob.kind, 2].number] == [3, 1]
