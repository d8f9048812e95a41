"""Comparisons in words, and whether the words are true."""

import re
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import pytest

from src.analysis.conclusions import compare_by_key, enumerate_some, judge, judge_sweeps, judge_values, wording
from src.analysis.contrasts import Group, Values, compare
from src.ledger.history import History
from src.ledger.objective import ACCURACY, LOSS, Objective
from src.ledger.records import TrialState
from tests.unit.analysis.searches import IMAGES, searched


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


def test_one_of_two_is_better() -> None:
    """It is significantly better than the other, with the difference in percentage points."""
    text = said({"relu": 0.5, "tanh": 0.9})
    pattern = r"tanh is significantly better than relu \(difference (.*) points, 95% interval (.*) to (.*)\)\."
    found = re.fullmatch(pattern, text)
    assert found and 39 < float(found[2]) < float(found[1]) < float(found[3]) < 41


def test_two_are_not_different() -> None:
    """Both are named, with an interval that holds zero."""
    text = said({"relu": 0.9, "tanh": 0.9001})
    assert " and " in text and "are not significantly different (difference 0." in text and "interval -0." in text


def test_some_are_worse() -> None:
    """Those that may be as good as the first are named, and those that are not."""
    text = said({"relu": 0.9, "tanh": 0.9001, "elu": 0.5, "selu": 0.4})
    assert re.match(r"(relu and tanh|tanh and relu) are not significantly different \(", text)
    assert "elu and selu are significantly worse than" in text and "differences 40." in text


def test_one_is_worse() -> None:
    """One is, several are."""
    assert "elu is significantly worse than" in said({"relu": 0.9, "tanh": 0.9001, "elu": 0.5})


def test_all_are_worse() -> None:
    """The best is better than all others, and how far ahead of them is said in a range."""
    text = said({"relu": 0.9, "tanh": 0.7, "elu": 0.5})
    assert text.startswith("relu is significantly better than all others (differences 20.")
    assert "95% intervals within" in text and "worse than" not in text


def test_several_are_not_different() -> None:
    """The first has the best value, and is not said to be better."""
    text = said({"relu": 0.9, "tanh": 0.9001, "elu": 0.9002})
    assert "has the best val_accuracy, but is not significantly different from" in text and "better" not in text


def test_a_lower_loss_is_better() -> None:
    """The first has the lowest; differences are positive, and no percentage points."""
    text = said({"relu": 0.9, "tanh": 0.5}, LOSS)
    assert text.startswith("tanh is significantly better than relu (difference 0.40, 95% interval 0.")


def test_one_seed() -> None:
    """The interval covers images only, and that is said."""
    text = said({"relu": 0.9, "tanh": 0.5}, seeds=1)
    assert text.startswith("relu is significantly better than tanh over the validation images only (difference ")
    assert text.endswith(" covers the variation between images only, not between seeds.")


def test_no_pairs() -> None:
    """Where no two trials differ in one thing alone, nothing is compared."""
    groups = [Group("0.1", {"a": np.ones(3)}), Group("0.2", {"b": np.zeros(3)})]
    assert judge(compare(groups, True), ACCURACY) == ["No two trials differ in this alone, so nothing can be compared."]


def test_some_pairs() -> None:
    """A group that shares no trials with the first is neither better nor worse nor the same."""
    groups = [Group("a", noisy(0.9)), Group("b", noisy(0.5)), Group("c", {"other": np.ones(IMAGES)})]
    text = " ".join(judge(compare(groups, True), ACCURACY))
    assert "better" not in text and "different" not in text
    assert (
        re.search(r"b is significantly worse than a \(difference (39|40)\.", text)
        and "No trials compare c with a, all else equal." in text
    )


def test_nothing_of_single_images() -> None:
    """One seed and one number each: the difference is named, and that one pair is too few to judge it by."""
    groups = [Group("a", {0: np.array([0.9])}), Group("b", {0: np.array([0.8])})]
    assert judge(compare(groups, True), ACCURACY) == [
        "a has the best val_accuracy (difference 10.00 points): "
        "one pair of trials is too few to say how much of that is chance."
    ]


def test_some_have_few_pairs() -> None:
    """A group with one or two blocks in common with the first is not judged, whatever the difference; others are."""
    groups = [
        Group("a", noisy(0.9)),
        Group("b", noisy(0.5)),
        Group("c", noisy(0.4, seeds=2)),
        Group("d", noisy(0.3, 1)),
    ]
    first, second = judge(compare(groups, True, fewest_blocks=3), ACCURACY)
    assert re.match(r"b is significantly worse than a \(difference (39|40)\.", first)
    assert second.startswith("c and d have only one or two pairs of trials in common with a, too few for an interval (")
    (text,) = judge(compare([groups[0], groups[2]], True, fewest_blocks=3), ACCURACY)
    assert (
        text.endswith("two pairs of trials are too few to say how much of that is chance.") and "interval" not in text
    )


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


# -------------------------------------------------------------------------------- values of a key


def compared(folder: Path, history: History, key: str) -> list[str]:
    """What is said of a key's values."""
    return judge_values(history, compare_by_key(folder, history, key), key)


def test_few_pairs_have_no_interval(tmp_path: Path) -> None:
    """Two pairs of trials are too few to judge a value by, however far apart they are; more seeds make more of them."""
    assert compared(tmp_path, searched(tmp_path, [[6], [7], [30], [32]]), "architecture.kernel") == [
        "kernel=3 has the best val_accuracy (difference 61.25 points): "
        "two pairs of trials are too few to say how much of that is chance.",
        "More seeds make more pairs: search.repeats=3.",
    ]
    (tmp_path / "more").mkdir()
    history = searched(tmp_path / "more", [[6] * 3, [7] * 3, [30] * 3, [32] * 3])
    (text,) = compared(tmp_path / "more", history, "architecture.kernel")
    assert text.startswith("kernel=3 is significantly better than kernel=5 (difference 61.25 points, 95% interval ")


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    """Trials that were pruned, and those whose partner was."""
    history = searched(tmp_path, [[6] * 4, [7] * 4, [30] * 4, [32] * 4])
    for number in (1, 5, 9):  # of kernel 3, pool 1; partners in kernel are 3, 7, 11
        history.trial(number).state = TrialState.PRUNED
    *_, last = compared(tmp_path, history, "architecture.kernel")
    assert last == "Left out: 3 pruned trials and 3 trials without a partner that differs in kernel alone."
    history.trial(9).state = TrialState.FINISHED
    history.trial(3).state = history.trial(7).state = TrialState.PRUNED
    *_, last = compared(tmp_path, history, "architecture.kernel")
    assert last == "Left out: 4 pruned trials."


# ------------------------------------------------------------------------------------------- sweeps


def test_seeds_that_only_one_sweep_has() -> None:
    """Where one has more seeds than the other, the difference is over those that both have, and that is said."""
    groups = [Group("a", noisy(0.9, seeds=5)), Group("b", noisy(0.5, seeds=3))]
    words = "Differences are over the seeds that both have; the means are over all seeds of each."
    assert judge_sweeps(compare(groups, True), ACCURACY, 1)[1:] == [words]
    groups[0].blocks = dict(list(groups[0].blocks.items())[:3])
    assert len(judge_sweeps(compare(groups, True), ACCURACY, 1)) == 1


def test_a_choice_is_allowed_for_where_there_are_intervals() -> None:
    """Sweeps by the best of several points say so, unless nothing is judged."""
    groups = [Group("a", noisy(0.9)), Group("b", noisy(0.5))]
    assert judge_sweeps(compare(groups, True), ACCURACY, 4)[-1].endswith("the intervals allow for that choice.")
    single = [Group("a", {0: np.array([0.9])}), Group("b", {0: np.array([0.8])})]
    assert "intervals" not in " ".join(judge_sweeps(compare(single, True), ACCURACY, 4))
