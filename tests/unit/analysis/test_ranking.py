"""Points are ranked by the mean of their seeds, confirmed ones by fresh seeds; an index gives the same while it grows."""

import random
from typing import Any

import pytest

from src.analysis.ranking import (
    Ranking,
    best_trial,
    evaluation_of,
    final_trial,
    point_results,
    rank_points,
    rank_trials,
)
from src.ledger.events import Checked, EpochEnded, Failed, Started, Stopped
from src.ledger.history import History
from src.ledger.objective import ACCURACY, LOSS, Objective
from src.ledger.records import Cause, Epoch, Evaluation, Point, PointState, Role, Trial
from src.search.schedule import Schedule
from tests.unit.examples import add_trials, epoch, finish, prepared, schedule_of, train_job


def searching(*overrides: str) -> Schedule:
    """Four points, trained on two seeds each (trials 1–4 and 5–8)."""
    return prepared(schedule_of("training.epochs=1", "search.repeats=2", *overrides))


def search(history: History, *accuracies: float) -> None:
    """The trials of the search have these results."""
    for number, accuracy in enumerate(accuracies, 1):
        finish(history, number, epoch(1, accuracy))


def fail(history: History, number: int) -> None:
    """A trial's loss is no number."""
    history.apply(Started(number, 1), 0)
    history.apply(Failed(train_job(number, history.objective), Cause.NAN, "the loss is nan"), 0)


def points(history: History) -> list[tuple[int, str]]:
    """Who stands where, and by which seeds."""
    return [(result.point.number, result.role) for result in rank_points(history)]


# --------------------------------------------------------------------------------------------- means


def test_the_mean_decides() -> None:
    """Not the best seed but the mean of all, with its standard deviation; seconds are a mean too."""
    history = searching().history
    search(history, 0.9, 0.7, 0.5, 0.1, 0.3, 0.7, 0.6, 0.2)
    found = point_results(history, Role.SEARCH)
    assert [result.point.number for result in found] == [2, 1, 3, 4]
    assert [result.mean("val_accuracy") for result in found] == pytest.approx([0.7, 0.6, 0.55, 0.15])
    assert found[1].deviation("val_accuracy") == pytest.approx(0.3 * 2**0.5)
    assert found[0].seconds() == 2.0


def test_one_seed_has_no_deviation() -> None:
    """None, which is not the same as 0."""
    history = searching().history
    search(history, 0.9, 0.8, 0.7, 0.6, 0.9)
    assert [result.deviation("val_accuracy") for result in point_results(history, Role.SEARCH)][:2] == [0.0, None]


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
    history = searching(f"search.objective={objective}").history
    for point, size in zip(history.points, (10, 20, 20, 10), strict=True):
        point.parameters = size
    for number, (accuracy, loss) in enumerate(results, 1):
        finish(history, number, epoch(1, accuracy - 0.1, loss - 0.25))
        finish(history, number + 4, epoch(1, accuracy + 0.1, loss + 0.25))
    assert [result.point.number for result in point_results(history, Role.SEARCH)] == order


@pytest.mark.parametrize(
    ("objective", "results", "order"),
    [
        ("val_accuracy", [(0.5, 1.0), (0.7, 1.0), (0.6, 1.0), (0.4, 1.0)], [2, 3, 1, 4]),
        ("val_accuracy", [(0.5, 1.0), (0.5, 0.8), (0.5, 0.9), (0.6, 2.0)], [4, 2, 3, 1]),  # by lower loss
        ("val_accuracy", [(0.5, 1.0)] * 4, [1, 4, 2, 3]),  # by parameters, then by number
        ("val_loss", [(0.5, 1.0), (0.9, 1.1), (0.6, 1.0), (0.1, 0.5)], [4, 3, 1, 2]),  # by higher accuracy
    ],
)
def test_trials_of_one_seed(objective: str, results: list[tuple[float, float]], order: list[int]) -> None:
    """By the objective; ties by the other of loss and accuracy, then by fewer parameters, then by number."""
    history = searching(f"search.objective={objective}").history
    for point, size in zip(history.points, (10, 20, 20, 10), strict=True):
        point.parameters = size
    for number, (accuracy, loss) in enumerate(results, 1):
        finish(history, number, epoch(1, accuracy, loss))
    assert [trial.number for trial in rank_trials(history)] == order


def test_a_trial_is_ranked_by_its_best_epoch() -> None:
    """The best epoch counts, not the last; trials that have not finished are not ranked."""
    history = searching().history
    finish(history, 1, epoch(1, 0.9), epoch(2, 0.1))
    finish(history, 2, epoch(1, 0.5), epoch(2, 0.6))
    history.apply(EpochEnded(3, epoch(1, 1.0), None), 0)
    assert [trial.number for trial in rank_trials(history)] == [1, 2]
    assert (history.trials[0].best_epoch, history.trials[0].objective) == (1, 0.9)


def test_a_failed_repeat_leaves_the_others_to_count() -> None:
    """A point is judged by the seeds that have finished; one without any has no place."""
    history = searching().history
    search(history, 0.9, 0.8)
    fail(history, 5)
    finish(history, 6, epoch(1, 0.6))
    fail(history, 3)
    assert [(s.point.number, len(s.trials)) for s in point_results(history, Role.SEARCH)] == [(1, 1), (2, 2)]
    assert [trial.number for trial in rank_trials(history)] == [1, 2, 6]


# --------------------------------------------------------------------------------------- fresh seeds


def confirming(*overrides: str) -> Schedule:
    """A search whose best two points, 1 and 2, are to be confirmed on two seeds each: trials 9–12."""
    schedule = searching("search.confirm=2", "search.confirm_repeats=2", *overrides)
    search(schedule.history, *[0.9, 0.8, 0.7, 0.6] * 2)
    assert [(trial.point, trial.role) for trial in add_trials(schedule)] == [(1, "confirm"), (2, "confirm")] * 2
    return schedule


def test_confirmed_points_come_first_once_all_have_ended() -> None:
    """As long as one fresh seed is open the search decides; then the fresh seeds do, even where they are worse."""
    history = confirming().history
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
    history = confirming().history
    for number, accuracy in ((9, 0.5), (10, 0.4), (11, 0.6), (12, 0.9)):
        finish(history, number, epoch(1, accuracy))
    assert [trial.number for trial in rank_trials(history)] == [12, 10, 2, 6, 11, 9, 1, 5, 3, 7, 4, 8]
    first = best_trial(history)
    assert first and first.number == 12


def test_without_results() -> None:
    """There is no best trial, and nothing is ranked."""
    history = searching().history
    assert not rank_points(history) and not rank_trials(history)
    assert best_trial(history) is final_trial(history) is None


# --------------------------------------------------------------------------------------------- refit


@pytest.mark.parametrize("ending", [fail, None])
def test_the_final_model_is_the_refit(ending: Any) -> None:
    """Once it has finished; until then, and where it fails, it is the winner, and a refit is never ranked."""
    schedule = confirming("search.refit=true")
    history = schedule.history
    for number, accuracy in ((9, 0.5), (10, 0.4), (11, 0.6), (12, 0.9)):
        finish(history, number, epoch(1, accuracy))
    (refit,) = add_trials(schedule)
    assert (refit.number, refit.point, refit.role) == (13, 2, "refit")
    assert final_trial(history) is best_trial(history) is history.trial(12)
    if ending:
        ending(history, 13)
        assert final_trial(history) is history.trial(12)
    else:
        finish(history, 13, Epoch(1, {"loss": 1.0, "accuracy": 1.0}, 2.0, 0.0))
        assert final_trial(history) is refit
    assert best_trial(history) is history.trial(12) and refit not in rank_trials(history)


def test_a_refit_of_another_point_is_not_final() -> None:
    """Where another point has won since, its own trial is the result."""
    schedule = searching("search.refit=true")
    history = schedule.history
    search(history, *[0.9, 0.8, 0.7, 0.6] * 2)
    (refit,) = add_trials(schedule)
    finish(history, refit.number, epoch(1))
    assert final_trial(history) is refit
    finish(history, 3, epoch(1, 0.7), epoch(2, 1.0))
    finish(history, 7, epoch(1, 0.7), epoch(2, 1.0))
    assert final_trial(history) is best_trial(history) is history.trial(3)


def test_evaluation_of() -> None:
    """A look at the test data belongs to a trial at its best epoch, and to no other."""
    history = searching().history
    finish(history, 1, epoch(1, 0.9), epoch(2, 0.1))
    history.apply(Evaluation(1, 2, 1.0, 0.5, 0.0), 0)
    assert evaluation_of(history, history.trial(1)) is None
    history.apply(Evaluation(1, 1, 1.0, 0.5, 0.0), 0)
    assert evaluation_of(history, history.trial(1)) is history.evaluations[1]


# --------------------------------------------------------------------------------------------- index


def a_sweep(objective: Objective) -> History:
    """Five points with two trials of the search each, two with two fresh ones, and a refit of each of these."""
    history = History(objective, [Point(number, {"a": number}, None, PointState.FEASIBLE) for number in range(1, 6)])
    keys = [(point, Role.SEARCH, repeat) for repeat in (0, 1) for point in range(1, 6)]
    keys += [(point, Role.CONFIRM, repeat) for repeat in (0, 1) for point in (2, 4)]
    keys += [(point, Role.REFIT, 0) for point in (2, 4)]
    history.trials += [Trial(number, *key, seed=1) for number, key in enumerate(keys, 1)]
    return history


def happen(rng: random.Random, history: History) -> None:
    """Something happens to a trial or a point."""
    number = rng.randint(1, len(history.trials))
    value = rng.choice([0.1, 0.5, 0.5, 0.9])  # with ties
    match rng.choice(["start", "epoch", "finish", "finish", "stop", "fail", "check"]):
        case "start":
            history.apply(Started(number, 1), 0)
        case "epoch" if history.trial(number).role != Role.REFIT:
            history.apply(EpochEnded(number, epoch(len(history.trial(number).epochs) + 1, value, value), None), 0)
        case "finish" if history.trial(number).role == Role.REFIT:  # which has no validation images
            finish(history, number, Epoch(1, {"loss": value, "accuracy": value}, 2.0, 0.0))
        case "finish":
            finish(history, number, epoch(1, value, rng.choice([0.5, 1.0])))
        case "stop":
            history.apply(Stopped(number), 0)
        case "fail":
            fail(history, number)
        case "check":
            history.apply(Checked(rng.randint(1, 5), "", rng.randint(1, 3)), 0)


@pytest.mark.parametrize("objective", [ACCURACY, LOSS], ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_an_index_is_what_would_be_computed_anew(objective: Objective, seed: int) -> None:
    """After each of many events, whether it followed all of them or begins there."""
    rng, history = random.Random(seed), a_sweep(objective)
    ranking = Ranking(history)
    for step in range(150):
        happen(rng, history)
        for one in (ranking, Ranking(history)) if step % 10 == 0 else (ranking,):
            assert list(one.results(Role.SEARCH)) == point_results(history, Role.SEARCH)
            assert list(one.results(Role.CONFIRM)) == point_results(history, Role.CONFIRM)
            assert list(one.points()) == rank_points(history)
            assert list(one.best_trials()) == rank_trials(history)
            assert one.best_trial() is best_trial(history) and one.final_trial() is final_trial(history)
            first = [result.point.number for result in point_results(history, Role.SEARCH)]
            assert [one.first_points(count) for count in (0, 2, 9)] == [[], first[:2], first]
