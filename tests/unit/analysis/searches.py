"""Searches whose validation images are right or wrong as a test says."""

from pathlib import Path

from src.ledger.history import History
from tests.unit.examples import add_trials, history_of, measured, schedule_of

IMAGES = 40


def right(wrong: int) -> list[int]:
    """All images right but for the first so many."""
    return [0] * wrong + [1] * (IMAGES - wrong)


def searched(folder: Path, wrong: list[list[int]], *overrides: str) -> History:
    """A search whose points have so many images wrong: one number a seed."""
    history = history_of("training.epochs=1", f"search.repeats={len(wrong[0])}", *overrides)
    for repeat in range(len(wrong[0])):
        for number, own in enumerate(wrong, 1):
            measured(folder, history, number + repeat * len(wrong), right(own[repeat]))
    return history


def confirmed(folder: Path, history: History, wrong: dict[int, list[int]]) -> History:
    """Points have been trained on fresh seeds: so many images wrong, by point and seed."""
    count = len(next(iter(wrong.values())))
    words = (f"search.confirm={len(wrong)}", f"search.confirm_repeats={count}")
    for trial in add_trials(schedule_of("training.epochs=1", *words, history=history)):
        measured(folder, history, trial.number, right(wrong[trial.point][trial.repeat]))
    return history
