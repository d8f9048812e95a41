"""What a test accuracy is worth: its interval, the constant answer, classes that are too small."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from src.analysis.baseline import (
    FEW,
    TAIL,
    chance_of,
    compare_to,
    interval,
    judge_baseline,
    judge_classes,
    judge_learning,
    judge_test,
)
from src.data.dataset import Dataset, Part
from src.ledger.files import write_arrays
from src.ledger.history import History
from src.ledger.records import Evaluation
from tests.unit.examples import epoch, finish, history_of


def labels(*counts: int) -> NDArray[np.int32]:
    """So many labels of each class."""
    return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def data_of(train: Sequence[int], validation: Sequence[int], test: Sequence[int]) -> Dataset:
    """So many images of each class in each part."""
    parts = [Part(np.zeros((sum(counts), 2, 2, 1), np.uint8), labels(*counts)) for counts in (train, validation, test)]
    return Dataset("mine", parts[0], parts[1], parts[2], len(train), 1.0, "0" * 64, "resize")


def evaluated(folder: Path, answers: Any, accuracy: float, *overrides: str) -> History:
    """A sweep whose best trial, number 2, has given these answers to the test images (None: they were not stored)."""
    history = history_of("training.epochs=1", *overrides)
    for number in range(1, 5):
        finish(history, number, epoch(1, 0.9 if number == 2 else 0.5))
    predictions = None
    if answers is not None:
        arrays = {"probabilities": np.eye(3, dtype=np.float32)[answers]}
        predictions = write_arrays(folder, "checkpoints/2-test.npz", arrays)
    history.apply(Evaluation(2, 1, 0.25, accuracy, 0, predictions), 0)
    return history


# ---------------------------------------------------------------------------------------- sentences

UNBALANCED = data_of([720, 72, 8], [90, 9, 1], [90, 9, 1])
BALANCED = data_of([80] * 3, [10] * 3, [30] * 3)


def test_a_model_that_learned_nothing(tmp_path: Path) -> None:
    """Of 900, 90 and 10 images an accuracy of 0.9 is what always answering the first gives: so it is said."""
    history = evaluated(tmp_path, np.zeros(100, int), 0.9)
    assert judge_test(tmp_path, history, UNBALANCED) == [
        "The best on validation, trial 2, has a test accuracy of 0.9000 (95% interval 0.8256 to 0.9448, loss 0.2500). "
        "This sweep was evaluated on test data once.",
        "Always answering class 0, the largest, would score 0.9000 on validation and test data; "
        "trial 2 does just that on test data.",
        "Classes 1–2 have fewer than 10 test images each: too few to judge them one by one.",
    ]


def test_labels_at_random(tmp_path: Path) -> None:
    """A model that guesses is not called better than the constant answer."""
    answers = np.random.default_rng(0).integers(0, 3, 90)
    accuracy = float((answers == BALANCED.test.y).mean())
    said = judge_test(tmp_path, evaluated(tmp_path, answers, accuracy), BALANCED)
    assert said[1:] == [
        "Always answering the same class would score 0.3333 on validation and test data; "
        "trial 2 is not significantly better than that."
    ]


def test_a_model_that_learned_something(tmp_path: Path) -> None:
    """It is significantly better."""
    said = judge_test(tmp_path, evaluated(tmp_path, BALANCED.test.y, 1.0), BALANCED)
    assert "has a test accuracy of 1.0000 (95% interval 0.9591 to 1.0000, loss 0.2500)" in said[0]
    assert said[1].endswith("; trial 2 is significantly better than that.") and len(said) == 2


def test_the_largest_class_is_that_of_the_training_images() -> None:
    """The answer is chosen as a model's is, without the other parts, and scored on each of these."""
    said = judge_baseline("trial 1", data_of([5, 6], [3, 1], [8, 2]), None)
    assert said == "Always answering class 1, the largest, would score 0.2500 on validation and 0.2000 on test data."


def test_one_of_the_largest_classes() -> None:
    """Which one is said where only the training images have as many of each."""
    said = judge_baseline("trial 1", data_of([5, 5], [3, 1], [8, 2]), None)
    assert said == (
        "Always answering class 0, one of the largest, would score 0.7500 on validation and 0.8000 on test data."
    )


def test_any_class_may_be_answered_where_all_are_equal() -> None:
    """A model that always answers the last class does just what is compared."""
    said = judge_baseline("trial 1", BALANCED, np.full(90, 2))
    assert said.endswith("; trial 1 does just that on test data.")


def learned(*accuracies: float, space: dict[str, Any] | None = None) -> History:
    """A sweep whose trials have had these validation accuracies."""
    history = history_of("training.epochs=1", **({"space": space} if space else {}))
    for number, accuracy in enumerate(accuracies, 1):
        finish(history, number, epoch(1, accuracy))
    return history


CAUSE = "perhaps the activation or the learning rate does not suit"


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ((0.5, 11 / 30, 0.9, 0.4), []),
        ((0.5, 1 / 3, 0.9, 0.3), ["2 of 4 trials (all with pool=2) are no {than} these networks."]),
        ((0.5, 0.5, 0.9, 0.3), ["1 of 4 trials (trial 4) is no {than} this network."]),
        ((0.3, 0.5, 0.9, 0.3), ["2 of 4 trials (trials 1, 4) are no {than} these networks."]),
        ((0.3, 0.3, 0.3, 0.3), ["None of the 4 trials is {than} these networks."]),
        ((0.3,), ["Trial 1 is no {than} this network."]),
        ((), []),
    ],
)
def test_trials_that_learned_nothing(accuracies: Sequence[float], said: list[str]) -> None:
    """They are counted, with the values of a key that all of them have and no other has, and what the cause may be."""
    than = f"more accurate on validation data than always answering the same class (0.3333): {CAUSE}"
    assert judge_learning(learned(*accuracies), BALANCED) == [line.format(than=than) for line in said]


def test_values_that_learned_nothing() -> None:
    """Several values of a key are told, of groups by their options' names."""
    history = learned(0.1, 0.95, 0.1, space={"activation": {"choice": ["sigmoid", "relu", "softplus"]}})
    (said,) = judge_learning(history, UNBALANCED)
    assert said.startswith("2 of 3 trials (all with activation=sigmoid or softplus) are no more accurate on validation")
    assert "always answering class 0, the largest (0.9000): " in said


def test_many_trials_that_learned_nothing() -> None:
    """They are counted, but not named one by one."""
    pools = {"architecture": {"pool": {"choice": list(range(1, 14))}}}
    (said,) = judge_learning(learned(0.9, *[0.1] * 12, space=pools), BALANCED)
    assert said.startswith("12 of 13 trials are no more accurate")


def test_what_was_learned_is_not_known_without_the_data() -> None:
    """Then nothing is said."""
    assert judge_learning(learned(0.1), None) == []


def test_without_the_data(tmp_path: Path) -> None:
    """Stored predictions say how many images there are, so the interval is known; of other answers nothing is said."""
    (said,) = judge_test(tmp_path, evaluated(tmp_path, np.zeros(100, int), 0.9))
    assert "0.9000 (95% interval 0.8256 to 0.9448, loss 0.2500)" in said


def test_without_predictions(tmp_path: Path) -> None:
    """Evaluations of an older version have an interval where the data are there, and are compared to nothing."""
    history = evaluated(tmp_path, None, 0.9)
    (said,) = judge_test(tmp_path, history)
    assert "a test accuracy of 0.9000 (loss 0.2500)." in said
    said, constant, _ = judge_test(tmp_path, history, UNBALANCED)
    assert "0.9000 (95% interval 0.8256 to 0.9448, loss" in said and constant.endswith(
        "0.9000 on validation and test data."
    )


def test_damaged_predictions(tmp_path: Path) -> None:
    """They are named, and the rest is said."""
    history = evaluated(tmp_path, np.zeros(100, int), 0.9)
    (tmp_path / "checkpoints/2-test.npz").write_bytes(b"nothing")
    said = judge_test(tmp_path, history, UNBALANCED)
    assert said[1].endswith("2-test.npz is not what was written: its checksum differs.")
    assert said[2].startswith("Always answering class 0") and said[2].endswith("and test data.")


def test_before_any_evaluation(tmp_path: Path) -> None:
    """There is nothing to say: neither of a sweep without a result, nor of one that was stopped before the end."""
    history = history_of("training.epochs=1")
    assert judge_test(tmp_path, history, BALANCED) == []
    finish(history, 1, epoch(1, 0.9))
    assert judge_test(tmp_path, history, BALANCED) == []


def test_several_evaluations(tmp_path: Path) -> None:
    """They are counted."""
    history = evaluated(tmp_path, None, 0.9)
    history.apply(Evaluation(1, 1, 0.25, 0.5, 0), 0)
    assert judge_test(tmp_path, history)[0].endswith("This sweep was evaluated on test data 2 times.")


def test_a_winner_that_was_trained_again(tmp_path: Path) -> None:
    """The model of a refit is called what it is."""
    history = evaluated(tmp_path, None, 0.9)
    history.trial(2).role = history.trial(2).role.REFIT
    history.trial(2).point = 1
    said = judge_test(tmp_path, history)[0]
    assert said.startswith("Trial 2, the winner trained on validation images too, has a test accuracy of 0.9000 (loss")


# --------------------------------------------------------------------------------- image by image


@pytest.mark.parametrize(
    ("wins", "losses", "words"),
    [
        (6, 0, "is significantly better than that"),
        (5, 0, "is not significantly better than that"),
        (20, 15, "is not significantly better than that"),
        (5, 5, "is not significantly better than that"),
        (0, 5, "is not significantly better than that"),
        (0, 6, "is significantly worse than that"),
    ],
)
def test_only_images_that_tell_count(wins: int, losses: int, words: str) -> None:
    """A model is compared by the images that it, or the constant answer, alone has right."""
    truth = np.array([0] * 500 + [0] * losses + [1] * wins + [1] * 30, np.int32)
    answers = np.array([0] * 500 + [1] * losses + [1] * wins + [0] * 30)
    assert compare_to(0, answers, truth) == words


def test_a_model_without_skill_is_seldom_called_better() -> None:
    """Answers drawn without looking, as often each class as in truth, pass for better in few cases of a hundred."""
    rng, better = np.random.default_rng(0), 0
    for _ in range(400):
        truth, answers = rng.integers(0, 4, (2, 200))
        better += compare_to(0, answers, truth.astype(np.int32)).startswith("is significantly better")
    assert better / 400 <= TAIL + 0.015


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (0, 3), (3, 0), (7, 2), (50, 40), (4000, 3900)])
def test_chance_is_the_tail_of_the_binomial(wins: int, losses: int) -> None:
    """As SciPy's exact test has it."""
    expected = binomtest(wins, wins + losses, alternative="greater").pvalue if wins + losses else 1.0
    assert chance_of(wins, losses) == pytest.approx(expected)


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (9, 9), (10, 10), (5, 10), (488, 500), (9871, 10000)])
def test_the_interval_is_wilsons(right: int, count: int) -> None:
    """As SciPy has it, and within 0 and 1."""
    expected = binomtest(right, count).proportion_ci(method="wilson")
    low, high = interval(right / count, count)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-6) and 0 <= low < high <= 1


# ------------------------------------------------------------------------------------------ classes


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((10, 10, 300), []),
        ((10, 9, 300), ["Class 1 has 9 test images: too few (fewer than 10) to judge it by itself."]),
        ((1, 10, 10), ["Class 0 has 1 test image: too few (fewer than 10) to judge it by itself."]),
        ((10, 10, 0), ["Class 2 has 0 test images: too few (fewer than 10) to judge it by itself."]),
        ((9, 10, 9, 9), ["Classes 0, 2–3 have fewer than 10 test images each: too few to judge them one by one."]),
        ((2, 2, 2), ["Each class has fewer than 10 test images: too few to judge any of them by itself."]),
    ],
)
def test_classes_that_are_too_small(counts: Sequence[int], said: list[str]) -> None:
    """They are named, also one that has no test image; where there is none nothing is said."""
    assert judge_classes(labels(*counts), len(counts)) == said


def test_few_is_what_an_interval_tells() -> None:
    """A class below the limit could be right in less than 71 of 100 cases though all its images are right."""
    assert interval(1.0, FEW - 1)[0] < 0.71 < interval(1.0, FEW)[0]
