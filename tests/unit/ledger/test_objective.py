"""What is better, by accuracy and by loss: of epochs, of trials, against a target."""

import pytest

from src.ledger.objective import ACCURACY, LOSS, OBJECTIVES, Objective
from src.ledger.records import Epoch
from tests.unit.examples import epoch

Result = tuple[float, float]  # accuracy and loss of the validation images


def metrics(accuracy: float, loss: float) -> dict[str, float]:
    """Of an epoch."""
    return epoch(1, accuracy, loss).metrics


def test_they_are_known_by_their_names() -> None:
    """As the configuration writes them, and as they are shown."""
    assert OBJECTIVES == {"val_accuracy": ACCURACY, "val_loss": LOSS}
    assert [str(objective) for objective in OBJECTIVES.values()] == list(OBJECTIVES)


@pytest.mark.parametrize(
    ("objective", "better", "worse"),
    [
        (ACCURACY, (0.9, 5.0), (0.8, 0.1)),
        (ACCURACY, (0.9, 0.1), (0.9, 0.2)),  # equals: the lower loss
        (LOSS, (0.1, 0.5), (0.9, 0.6)),
        (LOSS, (0.9, 0.5), (0.8, 0.5)),  # equals: the higher accuracy
    ],
)
def test_a_lower_score_is_better(objective: Objective, better: Result, worse: Result) -> None:
    """By the metric itself; equals by the other one, which is better the other way round."""
    assert objective.score(metrics(*better)) < objective.score(metrics(*worse))


def test_equals_have_one_score() -> None:
    """Neither of two equal results is better."""
    for objective in OBJECTIVES.values():
        assert objective.score(metrics(0.5, 0.5)) == objective.score(metrics(0.5, 0.5))


@pytest.mark.parametrize(
    ("objective", "results", "number"),
    [
        (ACCURACY, [(0.5, 0.9), (0.7, 0.8), (0.6, 0.7), (0.7, 0.8)], 2),  # the first of equals
        (ACCURACY, [(0.7, 0.8), (0.7, 0.7)], 2),
        (ACCURACY, [(0.7, 0.8)], 1),
        (LOSS, [(0.5, 0.9), (0.7, 0.8), (0.6, 0.7), (0.7, 0.8)], 3),
        (LOSS, [(0.5, 0.7), (0.6, 0.7), (0.6, 0.7)], 2),
    ],
)
def test_the_best_epoch(objective: Objective, results: list[Result], number: int) -> None:
    """The first of those with the best score."""
    epochs = [epoch(place, *result) for place, result in enumerate(results, 1)]
    assert objective.best_epoch(epochs) is epochs[number - 1]


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=str)
def test_without_validation_images_the_last_epoch_is_the_best(objective: Objective) -> None:
    """A refit is measured by nothing: it is as good as it has become."""
    epochs = [Epoch(number, {"loss": 0.1 * number, "accuracy": 1 - 0.1 * number}, 1.0, 1.0) for number in (1, 2, 3)]
    assert objective.best_epoch(epochs).number == 3


@pytest.mark.parametrize(
    ("objective", "value", "target", "is_reached"),
    [
        (ACCURACY, 0.99, 0.99, True),
        (ACCURACY, 0.991, 0.99, True),
        (ACCURACY, 0.989, 0.99, False),
        (LOSS, 0.05, 0.05, True),
        (LOSS, 0.049, 0.05, True),
        (LOSS, 0.051, 0.05, False),
    ],
)
def test_a_target(objective: Objective, value: float, target: float, is_reached: bool) -> None:
    """It is reached by what is as good, whatever the direction."""
    assert objective.is_reached(value, target) is is_reached
