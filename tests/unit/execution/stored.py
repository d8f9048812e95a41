"""Sweeps on disk that have trained what ours asks for, and ours."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from src.config.schema import Config
from src.execution.coordinator import propose
from src.execution.reuse import Library
from src.ledger.database import Ledger, read_history
from src.ledger.environment import DECISIVE
from src.ledger.events import Checked, Dropped, EpochEnded, Finished, Reused, Started
from src.ledger.files import write_arrays
from src.ledger.jobs import Job, TrainJob
from src.ledger.records import File, Invocation, Probe, Trial
from src.ledger.sweep_folder import create_or_check
from src.search.problem import SearchProblem
from src.search.schedule import Schedule, next_job
from tests.unit.examples import SPACE, config, epoch

ONE = {"architecture": {"kernel": {"choice": [3]}, "pool": {"choice": [2]}}}  # the second of SPACE's four points
HERE = dict.fromkeys(DECISIVE, "1")
COSINE = "schedule=cosine"
RUNG = ("search.pruner=top_k", "search.rung=1", "search.keep=1")


# ---------------------------------------------------------------------------------- sweeps on disk


def open_ledger(
    folder: Path, config: Config, digest: str = "digest", environment: dict[str, str] = HERE
) -> tuple[Ledger, Schedule]:
    """A sweep as it is before its first training."""
    create_or_check(folder, config, digest)
    problem = SearchProblem.of(config)
    ledger = Ledger.open(folder, problem.objective)
    schedule = Schedule.of(problem, ledger.history)
    ledger.save(Invocation(1, 1.0, 1.0, "here", 1, {}, environment))
    propose(schedule, ledger)
    for point in ledger.history.points:
        ledger.save(Checked(point.number, "", 1, 1, 1))
        ledger.save(Probe(point.number, 1, 1.0, 1.0))
    propose(schedule, ledger)
    return ledger, schedule


def train(ledger: Ledger, number: int, epochs: int, reason: str = "", drift: str = "", measured: bool = True) -> None:
    """A trial trained to its end; an older version had not `measured` the validation images."""
    trial = ledger.history.trial(number)
    attempt = trial.attempts + 1
    ledger.save(Started(number, attempt, drift))
    for one in range(1, epochs + 1):
        state = write_file(ledger, trial, f"{attempt}-state") if one == epochs else None
        ledger.save(EpochEnded(number, epoch(one, one / 100), state))
    validation = write_file(ledger, trial, f"{attempt}-validation") if measured else None
    weights = write_file(ledger, trial, f"{attempt}-best")
    ledger.save(Finished(number, weights, bool(reason), reason, validation))


def write_file(ledger: Ledger, trial: Trial, name: str) -> File:
    """A file like no other."""
    assert ledger.folder
    content = np.array([trial.point, len(trial.epochs)])
    return write_arrays(ledger.folder, f"checkpoints/{trial.number}-{name}.npz", {f"{ledger.folder} {name}": content})


def store(
    root: Path,
    name: str,
    *overrides: str,
    epochs: int = 2,
    digest: str = "digest",
    environment: dict[str, str] = HERE,
    dropped: bool = False,
    **how: Any,
) -> Trial:
    """Another sweep, whose second trial is all that it has trained."""
    ledger, _ = open_ledger(root / name, config("training.epochs=2", *overrides, space=SPACE), digest, environment)
    train(ledger, 2, epochs, **how)
    if dropped:
        ledger.save(Dropped(2))
    ledger.close()
    return ledger.history.trial(2)


@dataclass
class Own:
    """Our sweep, of one trial, which is equal to the one that other sweeps have trained."""

    root: Path
    overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.config = config("training.epochs=2", *self.overrides, space=ONE)
        self.ledger, self.schedule = open_ledger(self.root / "own", self.config)

    def next_job(self) -> Job | None:
        """What is asked for next."""
        return next_job(self.schedule, ())

    def find(self, **changed: Any) -> Reused | None:
        """What there is of the trial that is asked for, or of one that is changed so."""
        job = self.next_job()
        assert isinstance(job, TrainJob), job
        return self.library().take(replace(job, **changed))

    def library(self, drift: str = "") -> Library:
        """What other sweeps have, looked at anew."""
        return Library(self.config, self.root / "own", "digest", HERE, drift)

    def take(self, **changed: Any) -> Trial:
        """Our trial, after what was found is in the ledger, and can be read from there."""
        event = self.find(**changed)
        assert event
        self.ledger.save(event)
        assert read_history(self.root / "own", self.ledger.history.objective).trials == self.ledger.history.trials
        return self.ledger.history.trial(1)

    def files(self) -> list[str]:
        """The names of what lies in our folder of checkpoints."""
        return sorted(path.name for path in (self.root / "own" / "checkpoints").glob("*"))


def spoil(root: Path, name: str, file: File | None) -> None:
    """One bit of another sweep's file is another."""
    assert file
    path = root / name / file.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
