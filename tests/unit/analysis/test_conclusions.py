"""Comparisons in words, and whether the words are true."""

import re
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import pytest

from src.analysis.conclusions import describe_taken, enumerate_some, judge, judge_search, wording
from src.analysis.contrasts import Group, Values, compare
from src.ledger.events import Failed
from src.ledger.history import History
from src.ledger.objective import ACCURACY, LOSS, Objective
from src.ledger.records import Cause, Invocation, Origin, TrialState
from tests.unit.examples import add_trials, epoch, finish, history_of, measured, schedule_of, train_job

IMAGES = 40


def right(wrong: int) -> list[int]:
    """All images right but for the first so many."""
    return [0] * wrong + [1] * (IMAGES - wrong)


def noisy(level: float, seeds: int = 4) -> dict[Hashable, Values]:
    """Blocks that differ a little from image to image, and from seed to seed."""
    rng = np.random.default_rng(round(10_000 * level))
    return {seed: level + 0.01 * rng.standard_normal(IMAGES) for seed in range(seeds)}


def said(levels: dict[str, float], objective: Objective = ACCURACY, seeds: int = 4) -> str:
    """What is said of groups."""
    groups = [Group(label, noisy(level, seeds)) for label, level in levels.items()]
    return " ".join(judge(compare(groups, objective.is_higher_better), objective))


# ------------------------------------------------------------------------------------------- groups


def test_one_group() -> None:
    """There is nothing to compare."""
    assert said({"relu": 0.9}) == "There is only relu; nothing to compare it with."


def test_two_told_apart() -> None:
    """The better one is the best, with the difference in percentage points."""
    text = said({"relu": 0.5, "tanh": 0.9})
    found = re.fullmatch(r"tanh is the best, beyond chance: difference (.*) points, 95% interval (.*) to (.*)\.", text)
    assert found and 39 < float(found[2]) < float(found[1]) < float(found[3]) < 41


def test_two_not_told_apart() -> None:
    """Both are named, with an interval that holds zero."""
    text = said({"relu": 0.9, "tanh": 0.9001})
    assert " and " in text and "cannot be told apart (difference 0." in text and "interval -0." in text


def test_some_are_worse() -> None:
    """Those that may be as good as the first are named, and those that are not."""
    text = said({"relu": 0.9, "tanh": 0.9001, "elu": 0.5, "selu": 0.4})
    assert "relu and tanh cannot be told apart" in text or "tanh and relu cannot be told apart" in text
    assert "elu, selu are worse than" in text.replace(" and ", ", ") and "differences 40." in text


def test_one_is_worse() -> None:
    """One is, several are."""
    assert "elu is worse than" in said({"relu": 0.9, "tanh": 0.9001, "elu": 0.5})


def test_all_are_worse() -> None:
    """The best is the best, and how far ahead of whom is said in a range."""
    text = said({"relu": 0.9, "tanh": 0.7, "elu": 0.5})
    assert text.startswith("relu is the best, beyond chance: differences ")
    assert "95% intervals within" in text and "worse than" not in text


def test_several_are_not_told_apart() -> None:
    """The first has the best value, and is not said to be the best."""
    text = said({"relu": 0.9, "tanh": 0.9001, "elu": 0.9002})
    assert "has the best val_accuracy, but cannot be told apart from" in text and "is the best" not in text


def test_a_lower_loss_is_better() -> None:
    """The first has the lowest; differences are positive, and no percentage points."""
    text = said({"relu": 0.9, "tanh": 0.5}, LOSS)
    assert text.startswith("tanh is the best, beyond chance: difference 0.40, 95% interval 0.")


def test_one_seed() -> None:
    """The chance of seeds is not counted, and that is said: nothing is beyond all chance."""
    text = said({"relu": 0.9, "tanh": 0.5}, seeds=1)
    assert "beyond the chance of images: " in text and "beyond chance" not in text
    assert text.endswith("the intervals count the chance of images only, not that of seeds.")


def test_no_pairs() -> None:
    """Where no two trials differ in one thing alone, nothing is compared."""
    groups = [Group("0.1", {"a": np.ones(3)}), Group("0.2", {"b": np.zeros(3)})]
    assert judge(compare(groups, True), ACCURACY) == [
        "No two trials differ in this alone, so nothing can be compared one against the other."
    ]


def test_some_pairs() -> None:
    """A group that shares no trials with the first is neither better nor worse nor the same."""
    groups = [Group("a", noisy(0.9)), Group("b", noisy(0.5)), Group("c", {"other": np.ones(IMAGES)})]
    text = " ".join(judge(compare(groups, True), ACCURACY))
    assert "is the best" not in text and "told apart" not in text
    assert (
        re.search(r"b is worse than a \(difference (39|40)\.", text)
        and "No trials compare c with a, all else equal." in text
    )


def test_nothing_of_single_images() -> None:
    """One seed and one number each: the difference is named, and that its chance is not known."""
    groups = [Group("a", {0: np.array([0.9])}), Group("b", {0: np.array([0.8])})]
    (text,) = judge(compare(groups, True), ACCURACY)
    assert text.startswith("a has the best val_accuracy (difference 10.00 points): with one seed") and "nan" not in text


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (list("abcde"), "a, b, c, d and e"),
        (list("abcdefg"), "a, b, c, d and 3 more"),
    ],
)
def test_enumerate_some(names: list[str], words: str) -> None:
    """No more than five, the last of them a number."""
    assert enumerate_some(names) == words


@pytest.mark.parametrize(
    ("value", "words"), [("relu", "relu"), ("3", "kernel=3"), ("[8, 16]", "kernel=[8, 16]"), ("True", "kernel=True")]
)
def test_wording(value: str, words: str) -> None:
    """A word stands for itself, anything else with its key."""
    assert wording("architecture.kernel")(value) == words


# ------------------------------------------------------------------------------------------- searches


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


def test_a_search_by_chance(tmp_path: Path) -> None:
    """On one seed the first is not told apart from most; what to do about it is said."""
    assert judge_search(tmp_path, searched(tmp_path, [[6], [5], [7], [35]])) == [
        "Trial 2 cannot be told apart from 2 of the 3 others (one seed each): "
        "search.confirm=3 trains the best again on fresh seeds."
    ]


def test_pruned_trials_are_none_of_the_others(tmp_path: Path) -> None:
    """Where some were pruned, the others are those that were trained to the end."""
    history = searched(tmp_path, [[6], [5], [7], [35]])
    history.trial(4).state = TrialState.PRUNED
    assert judge_search(tmp_path, history)[0].startswith(
        "Trial 2 cannot be told apart from any of the 2 others trained to the end ("
    )


def test_no_advice_to_do_what_is_being_done(tmp_path: Path) -> None:
    """A sweep that is about to confirm is not told to."""
    history = searched(tmp_path, [[6], [5], [7], [35]])
    history.invocations.append(Invocation(1, 0, 7, "here", 1, {"search": {"confirm": 3}}, {}))
    assert judge_search(tmp_path, history) == ["Trial 2 cannot be told apart from 2 of the 3 others (one seed each)."]


def test_a_search_beyond_the_chance_of_images(tmp_path: Path) -> None:
    """Far ahead on one seed is beyond the chance of images, and no more is claimed."""
    (text,) = judge_search(tmp_path, searched(tmp_path, [[1], [36], [37], [35]]))
    assert text.startswith(
        "Trial 1 is ahead of all others beyond the chance of images (one seed each, differences 85.00 to"
    )
    assert text.endswith("search.confirm=3 trains the best again on fresh seeds.")


def test_a_search_on_several_seeds(tmp_path: Path) -> None:
    """Points are named instead of trials, with how many seeds; beyond chance means seeds too."""
    (text,) = judge_search(tmp_path, searched(tmp_path, [[36, 35, 36], [1, 2, 1], [37, 37, 37], [36, 35, 34]]))
    assert text.startswith("Point 2 is ahead of all others beyond chance (3 seeds each, ")
    (text,) = judge_search(tmp_path, searched(tmp_path, [[6, 5], [5, 5], [7, 4], [6, 6]]))
    assert text == "Point 2 cannot be told apart from any of the 3 others (2 seeds each): more of them tell more apart."


def test_the_first_of_the_table_is_the_first_of_the_sentence(tmp_path: Path) -> None:
    """A tie in accuracy goes to the lower loss, in the sentence as in the table."""
    history = history_of("training.epochs=1", "search.max_trials=2")
    measured(tmp_path, history, 1, right(5), [2.0] * IMAGES)
    measured(tmp_path, history, 2, right(5), [1.0] * IMAGES)
    (text,) = judge_search(tmp_path, history)
    assert text.startswith("Trial 2 cannot be told apart from the other (one seed each)")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare(tmp_path: Path, count: int) -> None:
    """Of no trial or one there is nothing to say."""
    history = history_of("training.epochs=1", "search.max_trials=2")
    for number in range(1, count + 1):
        measured(tmp_path, history, number, right(1))
    assert judge_search(tmp_path, history) == []


def test_trials_of_an_older_version(tmp_path: Path) -> None:
    """Without validation files: one seed says nothing of chance; several do, by their means."""
    history = history_of("training.epochs=1", "search.repeats=3")
    for number, accuracy in enumerate((0.5, 0.9, 0.5, 0.4), 1):
        finish(history, number, epoch(1, accuracy))
    (text,) = judge_search(tmp_path, history)
    assert text.startswith("Trial 2 has the best val_accuracy: with one seed")
    for number, accuracy in enumerate((0.51, 0.9, 0.5, 0.39, 0.5, 0.91, 0.51, 0.4), 5):
        finish(history, number, epoch(1, accuracy))
    (text,) = judge_search(tmp_path, history)
    assert text.startswith("Point 2 is ahead of all others beyond chance (3 seeds each, ")


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    """The table stays; only the judgement is replaced by what is wrong."""
    history = searched(tmp_path, [[6], [5], [7], [35]])
    (tmp_path / "checkpoints" / "3-validation.npz").write_bytes(b"nothing")
    (text,) = judge_search(tmp_path, history)
    assert "checksum differs: trial 3 cannot be compared" in text


# --------------------------------------------------------------------------------------- fresh seeds


def test_the_first_place_holds(tmp_path: Path) -> None:
    """On fresh seeds too, beyond chance; what the others are behind is said."""
    history = confirmed(tmp_path, searched(tmp_path, [[6], [5], [7], [9]]), {2: [1, 2, 1], 1: [36, 35, 36]})
    first, second = judge_search(tmp_path, history)
    assert first == "The first place holds, on 3 fresh seeds: point 2 (kernel=3 pool=2)."
    assert second.startswith("Point 2 is the best, beyond chance: difference 85.83 points")


def test_the_first_place_does_not_hold(tmp_path: Path) -> None:
    """Who was ahead, who is now, and that they cannot be told apart, with the smaller of them."""
    history = confirmed(tmp_path, searched(tmp_path, [[6], [5], [7], [9]]), {2: [7, 6, 7], 1: [6, 6, 7]})
    first, second, third = judge_search(tmp_path, history)
    assert first == (
        "The first place does not hold: point 2 was ahead in the search, on 3 fresh seeds it is point 1 (kernel=3 pool=1)."
    )
    assert second.startswith("Point 1 and point 2 cannot be told apart (difference 0.83 points")
    assert third == "The smallest of these is point 1, with 100 parameters."


def test_no_smallest_of_equal_sizes(tmp_path: Path) -> None:
    """Where all have the same number of parameters none is called the smallest."""
    history = searched(tmp_path, [[6], [5], [7], [9]])
    for point in history.points:
        point.parameters = 50
    assert len(judge_search(tmp_path, confirmed(tmp_path, history, {2: [7, 6, 7], 1: [6, 6, 7]}))) == 2


def test_one_point_confirmed(tmp_path: Path) -> None:
    """There is nothing to compare it to: its mean over seeds it was not chosen by."""
    history = confirmed(tmp_path, searched(tmp_path, [[6], [5], [7], [9]]), {2: [7, 9]})
    assert judge_search(tmp_path, history) == ["On 2 fresh seeds point 2 has a mean val_accuracy of 0.8000."]


def test_the_first_was_not_confirmed(tmp_path: Path) -> None:
    """A first place whose fresh seeds have all failed is not said to have been beaten."""
    history = searched(tmp_path, [[6], [5], [7], [9]])
    words = ("search.confirm=3", "search.confirm_repeats=1", "training.epochs=1")
    for trial in add_trials(schedule_of(*words, history=history)):
        if trial.point == 2:
            history.apply(Failed(train_job(trial.number), Cause.NAN, "the loss is nan"), 0)
        else:
            measured(tmp_path, history, trial.number, right(trial.point))
    first, _, last, _ = judge_search(tmp_path, history)
    assert first == (
        "The best on 1 fresh seed is point 1 (kernel=3 pool=1); "
        "point 2, ahead in the search, has no result on fresh seeds."
    )
    assert last.startswith("One pair of trials each: ")


# ------------------------------------------------------------------------------------- other sweeps


def test_what_was_taken() -> None:
    """How many trials have what other sweeps had trained, whole or to begin with, and which sweeps these are."""
    history = history_of("training.epochs=1")
    assert describe_taken(history) == ""
    history.trial(1).origin, history.trial(1).attempts = Origin("b", 4), 1
    words = "(search.reuse=false trains anew)"
    assert describe_taken(history) == f"1 trial was taken from other sweeps {words}: b."
    history.trial(2).origin, history.trial(2).attempts = Origin("a", 1), 1
    history.trial(3).origin, history.trial(3).attempts = Origin("b", 2), 2  # which has trained on since
    assert describe_taken(history) == (
        f"2 trials were taken and 1 trial was begun with what was taken from other sweeps {words}: a and b."
    )
