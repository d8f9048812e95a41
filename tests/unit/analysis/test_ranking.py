"""Who stands where: points by the mean of their seeds, and confirmed ones by fresh seeds."""

from typing import Any

import pytest

from src.analysis.ranking import best_trial, evaluation_of, final_trial, point_results, rank_points, rank_trials
from src.ledger.events import Failed, Started
from src.ledger.history import History
from src.ledger.jobs import TrainJob
from src.ledger.records import Cause, Evaluation, Role, Trial
from src.search.problem import Plan
from src.search.schedule import new_trials
from tests.unit.examples import SPACE, checked_history, config, epoch, finish


def rows_of(*overrides: str) -> tuple[Plan, History]:
    """Four points, trained on two seeds each (trials 1–4 and 5–8)."""
    plan = Plan.of(config("training.epochs=1", "search.repeats=2", *overrides, space=SPACE))
    return plan, checked_history(plan)


def search(history: History, *accuracies: float) -> None:
    """The trials of the search have these results."""
    for number, accuracy in enumerate(accuracies, 1):
        finish(history, number, epoch(1, accuracy))


def add_trials(plan: Plan, history: History) -> list[Trial]:
    """What the plan adds."""
    added = new_trials(plan, history)
    for trial in added:
        history.apply(trial, 0)
    return added


def fail(history: History, number: int) -> None:
    """A trial's loss is no number."""
    history.apply(Started(number, 1), 0)
    history.apply(Failed(TrainJob(number, 1, {}, 1, history.objective, 1, None, ()), Cause.NAN, "the loss is nan"), 0)


def points(history: History) -> list[tuple[int, str]]:
    """Who stands where, and by which seeds."""
    return [(standing.point.number, standing.role) for standing in rank_points(history)]


# --------------------------------------------------------------------------------------------- means


def test_the_mean_decides() -> None:
    """Not the best seed but the mean of all, with its standard deviation; seconds are a mean too."""
    _, history = rows_of()
    search(history, 0.9, 0.7, 0.5, 0.1, 0.3, 0.7, 0.6, 0.2)
    found = point_results(history, Role.SEARCH)
    assert [standing.point.number for standing in found] == [2, 1, 3, 4]
    assert [standing.mean("val_accuracy") for standing in found] == pytest.approx([0.7, 0.6, 0.55, 0.15])
    assert found[1].deviation("val_accuracy") == pytest.approx(0.3 * 2**0.5)
    assert found[0].seconds() == 2.0


def test_one_seed_has_no_deviation() -> None:
    """None, which is not the same as 0."""
    _, history = rows_of()
    search(history, 0.9, 0.8, 0.7, 0.6, 0.9)
    assert [standing.deviation("val_accuracy") for standing in point_results(history, Role.SEARCH)][:2] == [0.0, None]


@pytest.mark.parametrize(
    ("objective", "results", "order"),
    [
        ("val_accuracy", [(0.5, 1.0), (0.5, 0.8), (0.5, 0.9), (0.6, 2.0)], [4, 2, 3, 1]),  # by the mean of losses
        ("val_accuracy", [(0.5, 1.0)] * 4, [1, 4, 2, 3]),  # by parameters, then by number
        ("val_loss", [(0.5, 1.0), (0.9, 1.1), (0.6, 1.0), (0.1, 0.5)], [4, 3, 1, 2]),  # by the mean of accuracies
    ],
)
def test_ties(objective: str, results: list[tuple[float, float]], order: list[int]) -> None:
    """Equal means are decided by the other metric's mean, then by fewer parameters, then by number."""
    _, history = rows_of(f"search.objective={objective}")
    for point, size in zip(history.points, (10, 20, 20, 10), strict=True):
        point.parameters = size
    for number, (accuracy, loss) in enumerate(results, 1):
        finish(history, number, epoch(1, accuracy - 0.1, loss - 0.25))
        finish(history, number + 4, epoch(1, accuracy + 0.1, loss + 0.25))
    assert [standing.point.number for standing in point_results(history, Role.SEARCH)] == order


def test_a_failed_repeat_leaves_the_others_to_count() -> None:
    """A point is judged by the seeds that have finished; one without any has no place."""
    _, history = rows_of()
    search(history, 0.9, 0.8)
    fail(history, 5)
    finish(history, 6, epoch(1, 0.6))
    fail(history, 3)
    assert [(s.point.number, len(s.trials)) for s in point_results(history, Role.SEARCH)] == [(1, 1), (2, 2)]
    assert [trial.number for trial in rank_trials(history)] == [1, 2, 6]


# --------------------------------------------------------------------------------------- fresh seeds


def confirming(*overrides: str) -> tuple[Plan, History]:
    """A search whose best two points, 1 and 2, are to be confirmed on two seeds each: trials 9–12."""
    plan, history = rows_of("search.confirm=2", "search.confirm_repeats=2", *overrides)
    search(history, *[0.9, 0.8, 0.7, 0.6] * 2)
    assert [(trial.point, trial.role) for trial in add_trials(plan, history)] == [(1, "confirm"), (2, "confirm")] * 2
    return plan, history


def test_confirmed_points_come_first_once_all_have_ended() -> None:
    """As long as one fresh seed is open the search decides; then the fresh seeds do, even where they are worse."""
    _, history = confirming()
    by_search = [(number, "search") for number in (1, 2, 3, 4)]
    for number, accuracy in ((9, 0.1), (10, 0.5), (11, 0.2)):
        assert points(history) == by_search
        finish(history, number, epoch(1, accuracy))
    history.apply(Started(12, 1), 0)
    assert points(history) == by_search
    fail(history, 12)
    assert points(history) == [(2, "confirm"), (1, "confirm"), (3, "search"), (4, "search")]


def test_ranking_of_trials() -> None:
    """In the order of their points, fresh seeds before those of the search, the better seed first."""
    _, history = confirming()
    for number, accuracy in ((9, 0.5), (10, 0.4), (11, 0.6), (12, 0.9)):
        finish(history, number, epoch(1, accuracy))
    assert [trial.number for trial in rank_trials(history)] == [12, 10, 2, 6, 11, 9, 1, 5, 3, 7, 4, 8]
    first = best_trial(history)
    assert first and first.number == 12


def test_without_results() -> None:
    """There is no winner, and nothing stands anywhere."""
    _, history = rows_of()
    assert (rank_points(history), rank_trials(history), best_trial(history), final_trial(history)) == (
        [],
        [],
        None,
        None,
    )


# --------------------------------------------------------------------------------------------- refit


@pytest.mark.parametrize("ending", [fail, None])
def test_the_final_model_is_the_refit(ending: Any) -> None:
    """Once it has finished; until then, and where it fails, it is the winner, and a refit is never ranked."""
    plan, history = confirming("search.refit=true")
    for number, accuracy in ((9, 0.5), (10, 0.4), (11, 0.6), (12, 0.9)):
        finish(history, number, epoch(1, accuracy))
    (refit,) = add_trials(plan, history)
    assert (refit.number, refit.point, refit.role) == (13, 2, "refit")
    assert final_trial(history) is best_trial(history) is history.trial(12)
    if ending:
        ending(history, 13)
        assert final_trial(history) is history.trial(12)
    else:
        last = epoch(1)
        finish(history, 13, type(last)(1, {"loss": 1.0, "accuracy": 1.0}, 2.0, 0.0))
        assert final_trial(history) is refit
    assert best_trial(history) is history.trial(12) and refit not in rank_trials(history)


def test_a_refit_of_another_point_is_not_final() -> None:
    """Where another point has won since, its own trial is the result."""
    plan, history = rows_of("search.refit=true")
    search(history, *[0.9, 0.8, 0.7, 0.6] * 2)
    (refit,) = add_trials(plan, history)
    finish(history, refit.number, epoch(1))
    assert final_trial(history) is refit
    finish(history, 3, epoch(1, 0.7), epoch(2, 1.0))
    finish(history, 7, epoch(1, 0.7), epoch(2, 1.0))
    assert final_trial(history) is best_trial(history) is history.trial(3)


def test_evaluation_of() -> None:
    """A look at the test data belongs to a trial at its best epoch, and to no other."""
    _, history = rows_of()
    finish(history, 1, epoch(1, 0.9), epoch(2, 0.1))
    history.apply(Evaluation(1, 2, 1.0, 0.5, 0.0), 0)
    assert evaluation_of(history, history.trial(1)) is None
    history.apply(Evaluation(1, 1, 1.0, 0.5, 0.0), 0)
    assert evaluation_of(history, history.trial(1)) is history.evaluations[1]
