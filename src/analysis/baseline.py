"""What an accuracy is worth: its interval, what one constant answer would score, and which classes are too small.

The interval of a share is Wilson's (1927), which holds for few images and shares near 0 or 1 (Brown, Cai, DasGupta:
Interval Estimation for a Binomial Proportion, 2001). A model and the constant answer are compared on the same images,
so only those count on which one of them is right: McNemar's test, exact (Dietterich: Approximate Statistical Tests for
Comparing Supervised Classification Learning Algorithms, 1998).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.analysis.ranking import best, evaluation_of, final_trial, has_result
from src.base.text import last, number_of, numbered, show_metric, show_value, spans
from src.data.dataset import Dataset, Labels, Part
from src.ledger.files import DamagedError, read_arrays
from src.ledger.history import History
from src.ledger.records import Evaluation, Role, Trial

TAIL = 0.025  # on each side of a 95 % interval, and of a comparison
NORMAL = 1.959964  # the quantile of the normal distribution that leaves so much
FEW = 10  # test images: with all of 9 right, the interval of the class' accuracy still begins at 0.70
LISTED = 4  # values of a key that a sentence names


def judge_test(folder: Path, history: History, data: Dataset | None = None) -> list[str]:
    """Sentences on the final model's test accuracy; none until it has been evaluated.

    What a constant answer would score follows from `data`, and is left out without it. Without stored predictions the
    model is not compared to it.
    """
    model = final_trial(history)
    evaluation = evaluation_of(history, model) if model else None
    if model is None or evaluation is None:
        return []
    predicted, trouble = None, []
    try:
        predicted = read_predictions(folder, evaluation)
    except DamagedError as error:  # all else is right without it
        trouble = [f"{error}."]
    images = len(data.test) if data else 0 if predicted is None else len(predicted)
    said = [describe_test(history, model, evaluation, images), *trouble]
    if data:
        said.append(judge_baseline(f"trial {model.number}", data, predicted))
        said += judge_classes(data.test.y, data.num_classes)
    return said


def read_predictions(folder: Path, evaluation: Evaluation) -> NDArray[np.intp] | None:
    """The class that a model answered for each test image, if that was stored. Raises DamagedError."""
    if evaluation.predictions is None:
        return None
    answers: NDArray[np.intp] = read_arrays(folder, evaluation.predictions)["probabilities"].argmax(axis=1)
    return answers


def describe_test(history: History, model: Trial, evaluation: Evaluation, images: int) -> str:
    """The final model's accuracy, with its interval where the number of test images is known (not 0)."""
    which = f"The best on validation, trial {model.number}"
    if model.role == Role.REFIT:
        which = f"Trial {model.number}, the winner trained on validation images too"
    facts = f"loss {show_metric(evaluation.loss)}"
    if images:
        low, high = interval(evaluation.accuracy, images)
        facts = f"95% interval {low:.4f} to {high:.4f}, {facts}"
    times = "once" if len(history.evaluations) == 1 else f"{len(history.evaluations)} times"
    accuracy = f"{which}, has a test accuracy of {evaluation.accuracy:.4f} ({facts})"
    return f"{accuracy}. This sweep was evaluated on test data {times}."


def judge_baseline(name: str, data: Dataset, predicted: NDArray[np.intp] | None) -> str:
    """What always answering the largest class would score, and whether the model of that name is better on test data."""
    largest, words = constant_answer(data)
    if predicted is not None and is_balanced(data) and (predicted == predicted[0]).all():
        largest = int(predicted[0])  # each class would do as well
    validation, test = (show_metric(share_of(largest, part)) for part in (data.validation, data.test))
    scores = f"{validation} on validation and {test} on test data"
    if validation == test:
        scores = f"{test} on validation and test data"
    said = f"Always answering {words} would score {scores}"
    return f"{said}{'' if predicted is None else f'; {name} {compare_to(largest, predicted, data.test.y)}'}."


def constant_answer(data: Dataset) -> tuple[int, str]:
    """The class with the most training images, and how it is called where it is always answered."""
    counts = count_classes(data, data.train)
    largest = int(counts.argmax())
    if is_balanced(data):
        return largest, "the same class"
    which = "the largest" if (counts == counts.max()).sum() == 1 else "one of the largest"
    return largest, f"class {largest}, {which},"


def is_balanced(data: Dataset) -> bool:
    """Whether all classes have as many images, in each part: then it does not matter which is always answered."""
    parts = (count_classes(data, part) for part in (data.train, data.validation, data.test))
    return all((counts == counts[0]).all() for counts in parts)


def count_classes(data: Dataset, part: Part) -> NDArray[np.intp]:
    """How many images of a part each class has."""
    return np.bincount(part.y, minlength=data.num_classes)


def share_of(number: int, part: Part) -> float:
    """The share of a class in a part: what always answering it scores there."""
    return float((part.y == number).mean())


def judge_learning(history: History, data: Dataset | None) -> list[str]:
    """A sentence on trials of the search that learned nothing a constant answer does not have, and what may be the cause.

    None where there are no such trials, or the data is not at hand.
    """
    trials = [trial for trial in history.trials if trial.role == Role.SEARCH and has_result(trial)]
    if data is None or not trials:
        return []
    largest, words = constant_answer(data)
    share, images = share_of(largest, data.validation), len(data.validation)
    no_better = [t for t in trials if round(best(t).metrics["val_accuracy"] * images) <= round(share * images)]
    if not no_better:
        return []
    than = f"more accurate on validation data than always answering {words.rstrip(',')} ({share:.4f})"
    suits = "perhaps the activation or the learning rate does not suit"
    if len(trials) == 1:
        return [f"Trial {trials[0].number} is no {than}: {suits} this network."]
    if len(no_better) == len(trials):
        return [f"None of the {len(trials)} trials is {than}: {suits} these networks."]
    verb, whose = ("is", "this network") if len(no_better) == 1 else ("are", "these networks")
    which = describe_those(history, no_better, trials)
    return [f"{len(no_better)} of {len(trials)} trials{which} {verb} no {than}: {suits} {whose}."]


def describe_those(history: History, chosen: Sequence[Trial], trials: Sequence[Trial]) -> str:
    """` (all with activation=sigmoid or softplus)` where a key's values tell the chosen trials from all others, else their
    numbers, unless there are many."""
    for key in history.point(chosen[0].point).values:
        values = {trial.number: show_value(history.point(trial.point).values.get(key)) for trial in trials}
        found = list(dict.fromkeys(values[trial.number] for trial in chosen))
        if len(found) <= LISTED and sum(value in found for value in values.values()) == len(chosen):
            return f" ({'all ' * (len(chosen) > 1)}with {last(key)}={' or '.join(found)})"
    return f" ({numbered('trial', [trial.number for trial in chosen])})" if len(chosen) <= FEW else ""


def compare_to(largest: int, predicted: NDArray[np.intp], labels: Labels) -> str:
    """What a model's answers are beside always the same one, on the same images."""
    if (predicted == largest).all():
        return "does just that on test data"
    right, always = predicted == labels, labels == largest
    wins, losses = int((right & ~always).sum()), int((always & ~right).sum())
    if chance_of(wins, losses) <= TAIL:
        return "is significantly better than that"
    if chance_of(losses, wins) <= TAIL:
        return "is significantly worse than that"
    return "is not significantly better than that"


def judge_classes(labels: Labels, num_classes: int) -> list[str]:
    """Which classes have too few test images to be judged one by one, if any."""
    few = np.flatnonzero(np.bincount(labels, minlength=num_classes) < FEW).tolist()
    if not few:
        return []
    if len(few) == num_classes:
        return [f"Each class has fewer than {FEW} test images: too few to judge any of them by itself."]
    if len(few) == 1:
        count = number_of(int((labels == few[0]).sum()), "test image")
        return [f"Class {few[0]} has {count}: too few (fewer than {FEW}) to judge it by itself."]
    return [f"Classes {spans(few)} have fewer than {FEW} test images each: too few to judge them one by one."]


# ---------------------------------------------------------------------------------------- statistics


def interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `count` images."""
    square = NORMAL**2 / count
    middle = (share + square / 2) / (1 + square)
    reach = NORMAL / (1 + square) * (share * (1 - share) / count + square / (4 * count)) ** 0.5
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def chance_of(wins: int, losses: int) -> float:
    """How probable so many wins or more are, were a win as likely as a loss: the tail of the binomial, exactly."""
    from scipy.special import bdtrc  # takes a moment, and a mistake in the command line is answered before

    return float(bdtrc(wins - 1, wins + losses, 0.5)) if wins else 1.0
