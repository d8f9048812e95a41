"""Free disk: the checkpoints of a sweep's finished and pruned trials, or the whole sweep with its runs in MLflow.

python -m src.clean SWEEP                what would be removed; nothing is
python -m src.clean SWEEP --yes          the checkpoints
python -m src.clean SWEEP --all --yes    the sweep
"""

import sys
from typing import Annotated

import typer

from src import api
from src.base.text import command, number_of, show_bytes
from src.config.command_line import SweepName, SweepsFolder, run_reading
from src.execution.cleaning import Checkpoints
from src.ledger.sweep_folder import Sweep


def main(
    sweep: SweepName,
    everything: Annotated[bool, typer.Option("--all", help="The whole sweep, with its runs in MLflow.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, instead of only saying it.")] = False,
    sweeps: SweepsFolder = api.SWEEPS,
) -> None:
    """Say what would be removed of a sweep to free its disk; with --yes, remove it."""
    found = api.find_sweep(sweep, sweeps)
    try:
        if everything:
            print_whole(found.name, api.remove(found) if yes else api.plan_removal(found), yes)
            is_anything = True
        else:
            checkpoints = api.clean(found) if yes else api.plan_cleaning(found)
            print_checkpoints(found, checkpoints, yes)
            is_anything = bool(checkpoints.trials)
    except KeyboardInterrupt:
        print("Stopped half way: the same command goes on.", file=sys.stderr)
        raise typer.Exit(130) from None
    if is_anything and not yes:
        words = [found.name, *(["--all"] if everything else [])]
        print(f"Nothing has been removed. To do it: {command('clean', *words, sweeps=found.path.parent)} --yes")


def print_checkpoints(sweep: Sweep, found: Checkpoints, is_done: bool) -> None:
    """Which checkpoints are removed, or could be, and which are kept."""
    name = sweep.name
    count = number_of(len(found.trials), "trial")
    what = f"the checkpoints and best weights of {count}{f' ({found.pruned} pruned)' if found.pruned else ''}"
    amount = f"{number_of(found.files, 'file')}, {show_bytes(found.bytes)}"
    if not found.trials:
        print(f"{name}: there is no checkpoint to remove.")
    elif is_done:
        print(f"{name}: removed {what}: {amount}.")
    else:
        print(f"{name}: {what}: {amount}.")
        rest = "results, models/ and MLflow" if found.is_tracked else "results and models/"
        print(f"The {rest} stay. More epochs later would train these trials anew, from the first.")
    if found.needed:
        print(f"{number_of(found.needed, 'trial')} kept: they may be needed to complete the sweep.")
    if found.unseen:
        way = command("sync", name, sweeps=sweep.path.parent)
        print(f"{number_of(found.unseen, 'trial')} kept: MLflow does not have them yet ({way}).")


def print_whole(name: str, found: api.Whole, is_done: bool) -> None:
    """What a sweep consists of, or consisted of, and what MLflow keeps of it."""
    runs = f" and {number_of(found.runs, 'run')} in MLflow ({found.place}), with artifacts and models"
    what = f"its folder ({number_of(found.files, 'file')}, {show_bytes(found.bytes)}){runs if found.runs else ''}"
    print(f"{name}: removed {what}." if is_done else f"{name}: {what}: all that there is of it.")
    if found.is_remote:
        print("Its server only marks the runs as deleted: `mlflow gc` there frees their disk.")
    if found.are_lost:
        print(f"Its trials were written to MLflow once, but no run of theirs is found now ({found.place}).")


if __name__ == "__main__":
    run_reading(main)
