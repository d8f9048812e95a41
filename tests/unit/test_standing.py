"""Who stands where: points by the mean of their seeds, and confirmed ones by fresh seeds."""

from typing import Any

import pytest

from src.messages import Failed, Started, TrainWork
from src.plan import new_trials
from src.proposals import Plan
from src.rows import Rows, Trial
from src.standing import evaluation_of, final, places, ranking, standings, winner
from src.values import Evaluation
from tests.unit.examples import SPACE, checked_rows, config, epoch, finish


def rows_of(*overrides: str) -> tuple[Plan, Rows]:
    """Four points, trained on two seeds each (trials 1–4 and 5–8)."""
    plan = Plan.of(config("training.epochs=1", "search.repeats=2", *overrides, space=SPACE))
    return plan, checked_rows(plan)


def search(rows: Rows, *accuracies: float) -> None:
    """The trials of the search have these results."""
    for number, accuracy in enumerate(accuracies, 1):
        finish(rows, number, epoch(1, accuracy))


def add_trials(plan: Plan, rows: Rows) -> list[Trial]:
    """What the plan adds."""
    added = new_trials(plan, rows)
    for trial in added:
        rows.apply(trial, 0)
    return added


def fail(rows: Rows, number: int) -> None:
    """A trial's loss is no number."""
    rows.apply(Started(number, 1), 0)
    rows.apply(Failed(TrainWork(number, 1, {}, 1, rows.objective, 1, None, ()), "nan", "the loss is nan"), 0)


def points(rows: Rows) -> list[tuple[int, str]]:
    """Who stands where, and by which seeds."""
    return [(standing.point.number, standing.role) for standing in places(rows)]


# --------------------------------------------------------------------------------------------- means


def test_the_mean_decides() -> None:
    """Not the best seed but the mean of all, with its standard deviation; seconds are a mean too."""
    _, rows = rows_of()
    search(rows, 0.9, 0.7, 0.5, 0.1, 0.3, 0.7, 0.6, 0.2)
    found = standings(rows, "search")
    assert [standing.point.number for standing in found] == [2, 1, 3, 4]
    assert [standing.mean("val_accuracy") for standing in found] == pytest.approx([0.7, 0.6, 0.55, 0.15])
    assert found[1].deviation("val_accuracy") == pytest.approx(0.3 * 2**0.5)
    assert found[0].seconds() == 2.0


def test_one_seed_has_no_deviation() -> None:
    """None, which is not the same as 0."""
    _, rows = rows_of()
    search(rows, 0.9, 0.8, 0.7, 0.6, 0.9)
    assert [standing.deviation("val_accuracy") for standing in standings(rows, "search")][:2] == [0.0, None]


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
    _, rows = rows_of(f"search.objective={objective}")
    for point, size in zip(rows.points, (10, 20, 20, 10), strict=True):
        point.parameters = size
    for number, (accuracy, loss) in enumerate(results, 1):
        finish(rows, number, epoch(1, accuracy - 0.1, loss - 0.25))
        finish(rows, number + 4, epoch(1, accuracy + 0.1, loss + 0.25))
    assert [standing.point.number for standing in standings(rows, "search")] == order


def test_a_failed_repeat_leaves_the_others_to_count() -> None:
    """A point is judged by the seeds that have finished; one without any has no place."""
    _, rows = rows_of()
    search(rows, 0.9, 0.8)
    fail(rows, 5)
    finish(rows, 6, epoch(1, 0.6))
    fail(rows, 3)
    assert [(s.point.number, len(s.trials)) for s in standings(rows, "search")] == [(1, 1), (2, 2)]
    assert [trial.number for trial in ranking(rows)] == [1, 2, 6]


# --------------------------------------------------------------------------------------- fresh seeds


def confirming(*overrides: str) -> tuple[Plan, Rows]:
    """A search whose best two points, 1 and 2, are to be confirmed on two seeds each: trials 9–12."""
    plan, rows = rows_of("search.confirm=2", "search.confirm_repeats=2", *overrides)
    search(rows, *[0.9, 0.8, 0.7, 0.6] * 2)
    assert [(trial.point, trial.role) for trial in add_trials(plan, rows)] == [(1, "confirm"), (2, "confirm")] * 2
    return plan, rows


def test_confirmed_points_come_first_once_all_have_ended() -> None:
    """As long as one fresh seed is open the search decides; then the fresh seeds do, even where they are worse."""
    _, rows = confirming()
    by_search = [(number, "search") for number in (1, 2, 3, 4)]
    for number, accuracy in ((9, 0.1), (10, 0.5), (11, 0.2)):
        assert points(rows) == by_search
        finish(rows, number, epoch(1, accuracy))
    rows.apply(Started(12, 1), 0)
    assert points(rows) == by_search
    fail(rows, 12)
    assert points(rows) == [(2, "confirm"), (1, "confirm"), (3, "search"), (4, "search")]


def test_ranking_of_trials() -> None:
    """In the order of their points, fresh seeds before those of the search, the better seed first."""
    _, rows = confirming()
    for number, accuracy in ((9, 0.5), (10, 0.4), (11, 0.6), (12, 0.9)):
        finish(rows, number, epoch(1, accuracy))
    assert [trial.number for trial in ranking(rows)] == [12, 10, 2, 6, 11, 9, 1, 5, 3, 7, 4, 8]
    first = winner(rows)
    assert first and first.number == 12


def test_without_results() -> None:
    """There is no winner, and nothing stands anywhere."""
    _, rows = rows_of()
    assert (places(rows), ranking(rows), winner(rows), final(rows)) == ([], [], None, None)


# --------------------------------------------------------------------------------------------- refit


@pytest.mark.parametrize("ending", [fail, None])
def test_the_final_model_is_the_refit(ending: Any) -> None:
    """Once it has finished; until then, and where it fails, it is the winner, and a refit is never ranked."""
    plan, rows = confirming("search.refit=true")
    for number, accuracy in ((9, 0.5), (10, 0.4), (11, 0.6), (12, 0.9)):
        finish(rows, number, epoch(1, accuracy))
    (refit,) = add_trials(plan, rows)
    assert (refit.number, refit.point, refit.role) == (13, 2, "refit")
    assert final(rows) is winner(rows) is rows.trial(12)
    if ending:
        ending(rows, 13)
        assert final(rows) is rows.trial(12)
    else:
        last = epoch(1)
        finish(rows, 13, type(last)(1, {"loss": 1.0, "accuracy": 1.0}, 2.0, 0.0))
        assert final(rows) is refit
    assert winner(rows) is rows.trial(12) and refit not in ranking(rows)


def test_a_refit_of_another_point_is_not_final() -> None:
    """Where another point has won since, its own trial is the result."""
    plan, rows = rows_of("search.refit=true")
    search(rows, *[0.9, 0.8, 0.7, 0.6] * 2)
    (refit,) = add_trials(plan, rows)
    finish(rows, refit.number, epoch(1))
    assert final(rows) is refit
    finish(rows, 3, epoch(1, 0.7), epoch(2, 1.0))
    finish(rows, 7, epoch(1, 0.7), epoch(2, 1.0))
    assert final(rows) is winner(rows) is rows.trial(3)


def test_evaluation_of() -> None:
    """A look at the test data belongs to a trial at its best epoch, and to no other."""
    _, rows = rows_of()
    finish(rows, 1, epoch(1, 0.9), epoch(2, 0.1))
    rows.apply(Evaluation(1, 2, 1.0, 0.5, 0.0), 0)
    assert evaluation_of(rows, rows.trial(1)) is None
    rows.apply(Evaluation(1, 1, 1.0, 0.5, 0.0), 0)
    assert evaluation_of(rows, rows.trial(1)) is rows.evaluations[1]
