"""What other sweeps have trained already: a trial equal to a finished one of theirs takes its result.

A trial follows from configuration, seed, data and versions alone, so what is taken is what training would give, to the
last bit. Only the sweeps of one folder are looked at, once an invocation; nothing of theirs is changed.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from src.base.disk import write_durably
from src.base.hashing import fingerprint
from src.config.schema import Config
from src.config.trial import TrialConfig
from src.ledger.database import read_history
from src.ledger.environment import first_training, gives_equal_bits
from src.ledger.events import Reused
from src.ledger.files import DamagedError, read_file
from src.ledger.jobs import TrainJob
from src.ledger.records import File, Origin, Role, Trial, TrialState
from src.ledger.sweep_folder import Sweep, open_sweep

log = logging.getLogger("sweep")
SUFFIXES = {"checkpoint": "", "weights": "-best", "validation": "-validation"}  # of file names, as workers write them


@dataclass(frozen=True)
class Source:
    """A finished trial of another sweep."""

    sweep: Path
    trial: Trial


@dataclass(frozen=True)
class Way:
    """How a source may serve: the state that our trial comes to, with so many epochs and these files."""

    source: Source
    state: TrialState  # finished, paused or interrupted
    epochs: int
    files: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[bool, bool, bool, int]:
        """Lower is better: the whole result; then a rung reached, best with a checkpoint; then the most epochs."""
        return self.state != TrialState.FINISHED, self.state != TrialState.PAUSED, not self.files, -self.epochs


@dataclass
class Library:
    """The finished trials of all other sweeps beside ours, on the same data and by the same objective."""

    config: Config
    folder: Path  # of our sweep
    digest: str
    environment: dict[str, str]
    drift: str = ""  # how the environment differs from the one that our sweep began with

    def take(self, job: TrainJob) -> Reused | None:
        """What there is of a trial, its files copied into our folder; None where it is to be trained."""
        if not self.config.search.reuse:
            return None
        key = name_trial(job.configuration, job.last_epoch, job.seed, job.refit, self.config.data.scale)
        ways = [way for source in self.sources.get(key, ()) for way in find_ways(job, source)]
        for way in sorted(ways, key=lambda way: way.rank):
            try:
                files = copy_files(job, way, self.folder)
            except DamagedError:
                continue
            trial = way.source.trial
            origin = Origin(way.source.sweep.name, trial.number)
            stopped = trial.stopped_early and way.state.is_finished
            reason = trial.reason if stopped else ""
            epochs = tuple(trial.epochs[: way.epochs])
            return Reused(job.trial, job.attempt, origin, epochs, way.state, stopped, reason, self.drift, **files)
        return None

    @cached_property
    def sources(self) -> dict[str, list[Source]]:
        """The finished trials by what decides their bits."""
        found: dict[str, list[Source]] = {}
        for path in sorted(self.folder.parent.glob("*/config.yaml")):
            if path.parent == self.folder:
                continue
            try:
                for key, trial in self.read_trials(open_sweep(path.parent)):
                    found.setdefault(key, []).append(Source(path.parent, trial))
            except Exception as error:  # whatever is wrong with another sweep, ours can be trained
                log.info("nothing is taken from %s: %s", path.parent.name, error)
        return found

    def read_trials(self, sweep: Sweep) -> Iterator[tuple[str, Trial]]:
        """A sweep's finished trials that were trained as we would, with what decides their bits."""
        data = sweep.frozen["data"]
        if data["digest"] != self.digest or sweep.objective.name != self.config.search.objective:
            return
        history = read_history(sweep.path, sweep.objective)
        first = first_training(history)
        if first is None or not gives_equal_bits(first.environment, self.environment):
            return
        for trial in history.trials:
            if trial.state == TrialState.FINISHED and trial.epochs and not trial.drift:
                configuration = history.point(trial.point).configuration
                assert configuration
                last = sweep.frozen["training"].get("epochs")  # where it decides anything
                yield name_trial(configuration, last, trial.seed, trial.role == Role.REFIT, data["scale"]), trial


def name_trial(configuration: TrialConfig, last_epoch: int | None, seed: int, refit: bool, scale: Any) -> str:
    """A name that trials on the same data share if, trained for as many epochs, they give the same bits."""
    depends_on = last_epoch if configuration.depends_on_epochs else None
    return fingerprint([configuration.identity(), depends_on, seed, refit, scale])


def find_ways(job: TrainJob, source: Source) -> Iterator[Way]:
    """How a finished trial may serve, whole or in part."""
    trial = source.trial
    count, stopped = len(trial.epochs), trial.stopped_early
    is_kept = trial.checkpoint is not None and trial.checkpoint_epoch == count
    is_end = count <= job.until if stopped else count == job.until and not job.pauses
    if is_end and is_kept and trial.weights and (trial.validation or job.refit):
        yield Way(source, TrialState.FINISHED, count, ("checkpoint", "weights", "validation"))
    if job.pauses and count == job.until and not stopped and is_kept:
        yield Way(source, TrialState.PAUSED, count, ("checkpoint",))
    if job.pauses and (count > job.until or (count == job.until and not stopped)):
        yield Way(source, TrialState.PAUSED, job.until)
    if is_kept and len(job.epochs) < count <= job.until:
        yield Way(source, TrialState.INTERRUPTED, count, ("checkpoint",))


def copy_files(job: TrainJob, way: Way, folder: Path) -> dict[str, File]:
    """Copy a source's files to where a worker would write them. Raises DamagedError, before anything is written."""
    named = {name: file for name in way.files if (file := getattr(way.source.trial, name))}
    contents = {name: read_file(way.source.sweep, file) for name, file in named.items()}
    copies = {}
    for name, content in contents.items():
        path = f"checkpoints/{job.trial:05d}-{job.attempt}-{way.epochs}{SUFFIXES[name]}.npz"
        write_durably(folder / path, content)
        copies[name] = File(path, named[name].sha256)
    return copies
