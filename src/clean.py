"""Free disk: the checkpoints of a sweep's finished and pruned trials, or the whole sweep with its runs in MLflow.

python -m src.clean SWEEP                what would be removed; nothing is
python -m src.clean SWEEP --yes          the checkpoints
python -m src.clean SWEEP --all --yes    the sweep
"""

import os
import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from src.analysis.ranking import final_trial
from src.base.disk import contents
from src.base.errors import UserError
from src.base.text import command, number_of, show_bytes
from src.config.command_line import SweepName, SweepsFolder, run_reading
from src.config.schema import Config
from src.ledger.database import Ledger, read_history
from src.ledger.events import Dropped
from src.ledger.files import DamagedError, inside
from src.ledger.history import History
from src.ledger.lock import lock_sweep
from src.ledger.records import Trial, TrialState
from src.ledger.sweep_folder import Sweep, find, last_config, last_written, remove
from src.search.budget import budget_of
from src.search.problem import Plan
from src.search.schedule import is_complete, unfinished
from src.tracking.deletion import Traces, delete_traces, find_traces


def main(
    sweep: SweepName,
    everything: Annotated[bool, typer.Option("--all", help="The whole sweep, with its runs in MLflow.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, instead of only saying it.")] = False,
    sweeps: SweepsFolder = Path("sweeps"),
) -> None:
    """Say what would be removed of a sweep to free its disk; with --yes, remove it."""
    found = find(sweeps, sweep)
    clean = clean_all if everything else clean_checkpoints
    try:
        with lock_sweep(found.path, steal=False):
            is_anything = clean(found, yes)
    except KeyboardInterrupt:
        print("Stopped half way: the same command goes on.", file=sys.stderr)
        raise typer.Exit(130) from None
    if is_anything and not yes:
        folder = [] if sweeps == Path("sweeps") else ["--sweeps", str(sweeps)]
        words = shlex.join([found.name, *(["--all"] if everything else []), *folder, "--yes"])
        print(f"Nothing has been removed. To do it: {command('clean')} {words}")


# -------------------------------------------------------------------------------------- checkpoints


def clean_checkpoints(sweep: Sweep, yes: bool) -> bool:
    """Say what checkpoints there are to remove, or remove them; whether there are any."""
    config, history = last_config(sweep.path), read_history(sweep.path, sweep.objective)
    ended = [trial for trial in history.trials if trial.state in (TrialState.FINISHED, TrialState.PRUNED)]
    stored = [trial for trial in ended if trial.checkpoint or trial.weights]
    needed = still_needed(Plan.of(config), history)
    unseen = {trial.number for trial in stored if config.tracking.name == "mlflow" and not trial.run_id} - needed
    to_drop = [trial for trial in stored if trial.number not in needed | unseen]
    count, size = measure(sweep, to_drop)
    pruned = sum(trial.state == TrialState.PRUNED for trial in to_drop)
    which = f" ({pruned} pruned)" if pruned else ""
    what = f"the checkpoints and best weights of {number_of(len(to_drop), 'trial')}{which}"
    amount = f"{number_of(count, 'file')}, {show_bytes(size)}"
    if to_drop and yes:
        drop(sweep, to_drop)
        print(f"{sweep.name}: removed {what}: {amount}.")
    elif to_drop:
        print(f"{sweep.name}: {what}: {amount}.")
        rest = "results, models/ and MLflow" if config.tracking.name == "mlflow" else "results and models/"
        print(f"The {rest} stay. More epochs later would train these trials anew, from the first.")
    else:
        print(f"{sweep.name}: there is no checkpoint to remove.")
    for spared, reason in (
        (needed, "they may be needed to complete the sweep"),
        (unseen, f"MLflow does not have them yet ({command('sync')} {sweep.name})"),
    ):
        if kept := sum(trial.number in spared for trial in stored):
            print(f"{number_of(kept, 'trial')} kept: {reason}.")
    return bool(to_drop)


def still_needed(plan: Plan, history: History) -> set[int]:
    """The trials whose files a sweep that is not complete may need: to train on, or to look at the test images."""
    if is_complete(plan, history):
        return set()
    if plan.config.search.repeats > 1 or plan.config.search.confirm:  # any of them may turn out to be the final one
        return {trial.number for trial in history.trials}
    best = final_trial(history)
    return {trial.number for trial in unfinished(history, budget_of(plan.config, history))} | (
        {best.number} if best else set()
    )


def measure(sweep: Sweep, trials: list[Trial]) -> tuple[int, int]:
    """How many files a removal deletes, and their bytes. Raises UserError for a file outside of the sweep."""
    try:
        paths = {inside(sweep.path, file) for trial in trials for file in (trial.checkpoint, trial.weights) if file}
    except DamagedError as error:
        raise UserError(f"{error}: restore the ledger from a backup; nothing has been removed.") from error
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return len(sizes), sum(sizes)


def drop(sweep: Sweep, trials: list[Trial]) -> None:
    """Have the ledger delete the trials' files; which sweep is the latest stays as it is."""
    written = last_written(sweep.path)
    with closing(Ledger.open(sweep.path, sweep.objective)) as ledger:
        for trial in trials:
            ledger.save(Dropped(trial.number))
    os.utime(sweep.path / "ledger.db", (written, written))


# --------------------------------------------------------------------------------- the whole sweep


def clean_all(sweep: Sweep, yes: bool) -> bool:
    """Say what a sweep consists of, or remove it: its runs first, its folder last."""
    config, history = read_all(sweep)
    traces = find_traces(config, sweep, history)
    count, size = contents(sweep.path)
    runs = f"{number_of(len(traces.runs), 'run')} in MLflow ({traces.place}), with artifacts and models"
    what = f"its folder ({number_of(count, 'file')}, {show_bytes(size)})" + (f" and {runs}" if traces.runs else "")
    if yes:
        delete_traces(traces)
        remove(sweep.path)
    print(f"{sweep.name}: {'removed ' if yes else ''}{what}{'' if yes else ': all that there is of it'}.")
    for sentence in remarks(history, traces):
        print(sentence)
    return True


def read_all(sweep: Sweep) -> tuple[Config, History]:
    """What tells a sweep's runs in MLflow. Raises UserError that says how else to be rid of the sweep."""
    try:
        return last_config(sweep.path), read_history(sweep.path, sweep.objective)
    except UserError as error:
        raise UserError(
            f"{error} To be rid of it all the same, delete {sweep.path}/ yourself; its runs in MLflow stay."
        ) from error


def remarks(history: History, traces: Traces) -> list[str]:
    """What MLflow keeps."""
    if traces.are_remote:
        return ["Its server only marks the runs as deleted: `mlflow gc` there frees their disk."]
    if not traces.runs and any(trial.run_id for trial in history.trials):
        return [f"Its trials were written to MLflow once, but no run of theirs is found now ({traces.place})."]
    return []


if __name__ == "__main__":
    run_reading(main)
