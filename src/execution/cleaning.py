"""Checkpoints that only an extension would need: which they are, and removing them."""

import os
from contextlib import closing
from dataclasses import dataclass

from src.analysis.ranking import final_trial
from src.base.errors import UserError
from src.config.schema import Config
from src.ledger.database import Ledger, read_history
from src.ledger.events import Dropped
from src.ledger.files import DamagedError, inside
from src.ledger.history import History
from src.ledger.records import Trial, TrialState
from src.ledger.sweep_folder import Sweep, last_config, last_written
from src.search.problem import SearchProblem
from src.search.schedule import Schedule, is_complete, unfinished


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints and best weights of trials that have ended: what may go, and how many trials keep theirs."""

    trials: tuple[int, ...]  # whose files may go
    pruned: int  # of these
    files: int
    bytes: int
    needed: int  # trials whose files the sweep may need to be completed
    unseen: int  # trials whose files MLflow does not have yet
    is_tracked: bool  # whether the sweep writes to MLflow


def find_checkpoints(sweep: Sweep) -> Checkpoints:
    """What may go of a sweep. Raises UserError where it cannot be read, or names files outside of its folder."""
    config, history = last_config(sweep.path), read_history(sweep.path, sweep.objective)
    ended = [trial for trial in history.trials if trial.state in (TrialState.FINISHED, TrialState.PRUNED)]
    stored = [trial for trial in ended if trial.checkpoint or trial.weights]
    is_tracked = config.tracking.name == "mlflow"
    needed = find_needed(config, history)
    unseen = {trial.number for trial in stored if is_tracked and not trial.run_id} - needed
    free = [trial for trial in stored if trial.number not in needed | unseen]
    files, size = measure(sweep, free)
    return Checkpoints(
        tuple(trial.number for trial in free),
        sum(trial.state == TrialState.PRUNED for trial in free),
        files,
        size,
        sum(trial.number in needed for trial in stored),
        len(unseen),
        is_tracked,
    )


def find_needed(config: Config, history: History) -> set[int]:
    """The trials whose files a sweep that is not complete may need: to train on, or to look at the test images."""
    schedule = Schedule.of(SearchProblem.of(config), history)
    if is_complete(schedule):
        return set()
    if config.search.repeats > 1 or config.search.confirm:  # any of them may turn out to be the final one
        return {trial.number for trial in history.trials}
    best = final_trial(history)
    return {trial.number for trial in unfinished(schedule)} | ({best.number} if best else set())


def measure(sweep: Sweep, trials: list[Trial]) -> tuple[int, int]:
    """How many files a removal deletes, and their bytes. Raises UserError for a file outside of the sweep."""
    try:
        paths = {inside(sweep.path, file) for trial in trials for file in (trial.checkpoint, trial.weights) if file}
    except DamagedError as error:
        raise UserError(f"{error}: restore the ledger from a backup; nothing has been removed.") from error
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return len(sizes), sum(sizes)


def drop_checkpoints(sweep: Sweep, found: Checkpoints) -> None:
    """Have the ledger delete the trials' files; which sweep is the latest stays as it is.

    Its caller holds the sweep's lock.
    """
    written = last_written(sweep.path)
    with closing(Ledger.open(sweep.path, sweep.objective)) as ledger:
        for number in found.trials:
            ledger.save(Dropped(number))
    os.utime(sweep.path / "ledger.db", (written, written))
