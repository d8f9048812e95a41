"""Differences with intervals: textbook cases, an independent calculation, and how often they are right."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from src.analysis.contrasts import Contrast, Group, Values, compare, contrast, mean_and_error

TAIL = 0.025


def group(label: str, values: Any) -> Group:
    """Something measured in blocks 0, 1, …: a row of images each."""
    return Group(label, dict(enumerate(np.array(values, dtype=float))))


def numbers_of(found: Contrast) -> tuple[float, float, float]:
    """The difference and its interval."""
    return found.difference, found.low, found.high


def crossed(
    rng: np.random.Generator, blocks: int, images: int, spreads: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Values of a block's, an image's and a single cell's chance."""
    of_blocks, of_images, of_cells = spreads
    shared = of_blocks * rng.standard_normal((blocks, 1)) + of_images * rng.standard_normal((1, images))
    values: Values = shared + of_cells * rng.standard_normal((blocks, images))
    return values


# --------------------------------------------------------------------------------------- closed forms


def test_one_image_is_the_paired_t_test() -> None:
    """With one value a block it is Student's interval of the differences."""
    a, b = [0.9, 0.7, 0.8, 0.9], [0.8, 0.7, 0.6, 0.85]
    ours = contrast(group("a", [[x] for x in a]), group("b", [[x] for x in b]), TAIL)
    theirs = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (ours.blocks, *numbers_of(ours)) == pytest.approx((4, np.mean(a) - np.mean(b), theirs.low, theirs.high))


def test_one_block_is_the_paired_t_test_over_images() -> None:
    """With one block it is Student's interval over images."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 30))
    ours = contrast(group("a", [a]), group("b", [b]), TAIL)
    theirs = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (ours.blocks, *numbers_of(ours)) == pytest.approx((1, (a - b).mean(), theirs.low, theirs.high))


@pytest.mark.parametrize("spreads", [(1.0, 1.0, 1.0), (3.0, 0.5, 0.5), (0.5, 3.0, 0.5)])
def test_crossed_against_sums_of_squares(spreads: tuple[float, float, float]) -> None:
    """The error is that of variance components, calculated cell by cell from the analysis of variance."""
    blocks, images = 6, 9
    values = crossed(np.random.default_rng(10), blocks, images, spreads)
    grand = sum(values[i, j] for i in range(blocks) for j in range(images)) / (blocks * images)
    rows = [sum(values[i, j] for j in range(images)) / images for i in range(blocks)]
    columns = [sum(values[i, j] for i in range(blocks)) / blocks for j in range(images)]
    of_blocks = images * sum((row - grand) ** 2 for row in rows) / (blocks - 1)
    of_images = blocks * sum((column - grand) ** 2 for column in columns) / (images - 1)
    cells = sum((values[i, j] - rows[i] - columns[j] + grand) ** 2 for i in range(blocks) for j in range(images))
    rest = cells / ((blocks - 1) * (images - 1))
    block, image = (of_blocks - rest) / images, (of_images - rest) / blocks  # the components
    assert block > 0 and image > 0, "else nothing would be tested but the bound"
    variance = block / blocks + image / images + rest / (blocks * images)
    mean, error, freedom = mean_and_error(values)
    assert (mean, error) == pytest.approx((grand, variance**0.5))
    squares = (of_blocks**2 / (blocks - 1), of_images**2 / (images - 1), rest**2 / ((blocks - 1) * (images - 1)))
    assert freedom == pytest.approx((of_blocks + of_images - rest) ** 2 / sum(squares))


def test_a_negative_component_makes_no_interval_narrower() -> None:
    """Where blocks are more alike than chance, the error is that of images alone, or of blocks."""
    values = np.array([[1.0, 0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0, 1.0]])  # both blocks have the same mean
    _, error, _ = mean_and_error(values)
    by_image = values.mean(axis=0)
    assert error == pytest.approx(by_image.std(ddof=1) / 5**0.5)


def test_no_interval_is_wider_than_the_fewest_degrees_of_freedom_allow() -> None:
    """Where chance within cells is far above that of blocks and images, there are still as many as blocks less one."""
    difference = np.array([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    _, _, freedom = mean_and_error(difference)
    assert freedom == 2


# ------------------------------------------------------------------------------------------- pairing


def test_only_common_blocks_count() -> None:
    """What one group was measured in alone is left out, whatever it was."""
    a = Group("a", {0: np.array([1.0, 0.0]), 1: np.array([1.0, 1.0]), 2: np.array([0.0, 0.0])})
    b = Group("b", {1: np.array([0.0, 1.0]), 3: np.array([1.0, 1.0])})
    found = contrast(a, b, TAIL)
    assert (found.blocks, found.difference) == (1, 0.5)


def test_no_common_block() -> None:
    """There is no difference to speak of: NaN, and neither better nor worse."""
    a, b = Group("a", {0: np.ones(3)}), Group("b", {1: np.zeros(3)})
    found = contrast(a, b, TAIL)
    assert found.blocks == 0 and np.isnan(numbers_of(found)).all()
    comparison = compare([a, b], True)
    assert (comparison.not_told_apart(), comparison.worse()) == ([], [])
    assert [one.b for one in comparison.not_compared()] == ["b"]


def test_one_value_has_no_interval() -> None:
    """One block with one value: a difference whose chance is not known."""
    found = contrast(group("a", [[0.9]]), group("b", [[0.5]]), TAIL)
    assert found.difference == pytest.approx(0.4) and np.isnan([found.low, found.high]).all()
    assert compare([group("a", [[0.9]]), group("b", [[0.5]])], True).worse() == []


def test_all_equal_values() -> None:
    """No difference, and an interval of no width, which is not significant."""
    ones = np.ones((3, 5))
    assert numbers_of(contrast(group("a", ones), group("b", ones), TAIL)) == (0, 0, 0)


def test_two_blocks_may_be_too_few() -> None:
    """Two blocks whose difference decides have one degree of freedom: no interval instead of hundreds of points."""
    a, b = [[0.99] * 20, [0.95] * 20], [[0.96] * 20, [0.97] * 20]
    found = contrast(group("a", a), group("b", b), TAIL)
    assert (found.blocks, found.difference) == pytest.approx((2, 0.005)) and not found.has_interval
    third = contrast(group("a", [*a, a[0]]), group("b", [*b, b[0]]), TAIL)
    assert third.has_interval and third.high - third.low < 0.2
    rng = np.random.default_rng(9)  # where images decide there are degrees of freedom enough
    assert contrast(group("a", rng.random((2, 200))), group("b", rng.random((2, 200))), TAIL).has_interval


def test_fewer_blocks_than_asked_for() -> None:
    """They have a difference and no interval: neither better nor worse, and none of those that were judged."""
    rng = np.random.default_rng(9)
    a, b, c = (group(str(level), level + 0.01 * rng.random((3, 30))) for level in (3, 2, 1))
    del c.blocks[0]
    found = compare([c, b, a], True, fewest_blocks=3)
    assert [one.b for one in found.worse()] == ["2"] and [one.b for one in found.not_judged()] == ["1"]
    assert round(found.ahead[1].difference) == 2


def test_matched_blocks() -> None:
    """Those shared with the first; of the first those shared with any of the others."""
    one = np.ones(4)
    first, second, third = Group("a", dict.fromkeys("wxyz", one)), Group("b", dict.fromkeys("yxu", 0 * one)), Group("c")
    third.blocks = {"y": 0 * one, "z": 0 * one, "v": 0 * one}
    found = compare([third, first, second], True)
    assert found.groups[0] is first
    assert [found.matched(group) for group in (first, second, third)] == [["x", "y", "z"], ["y", "x"], ["y", "z"]]


def test_images_of_some_only() -> None:
    """Where one group has nothing of single images, means are compared, as if neither had."""
    rng = np.random.default_rng(2)
    a, b = rng.random((3, 20)), rng.random((3, 20))
    of_a, of_b = group("a", a.mean(axis=1, keepdims=True)), group("b", b.mean(axis=1, keepdims=True))
    expected = numbers_of(contrast(of_a, of_b, TAIL))
    assert numbers_of(contrast(group("a", a), of_b, TAIL)) == pytest.approx(expected)
    assert numbers_of(contrast(of_a, group("b", b), TAIL)) == pytest.approx(expected)


# --------------------------------------------------------------------------------------------- order

MEASURED = st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=2, max_size=4)


@settings(deadline=None)  # the machine may be busy
@given(MEASURED, st.randoms(use_true_random=False))
def test_swapped_and_shuffled(values: list[list[int]], random: Any) -> None:
    """Swapping the groups turns the signs; the order of blocks and images changes nothing."""
    others = [[random.randint(0, 1) for _ in row] for row in values]
    a, b = group("a", values), group("b", others)
    difference, low, high = numbers_of(contrast(a, b, TAIL))
    assert low <= difference <= high or np.isnan([low, high]).all()
    assert numbers_of(contrast(b, a, TAIL)) == pytest.approx((-difference, -high, -low), nan_ok=True)
    images, blocks = random.sample(range(6), 6), random.sample(range(len(values)), len(values))
    first, second = (Group(one.label, {n: one.blocks[n][images] for n in blocks}) for one in (a, b))
    again = numbers_of(contrast(first, second, TAIL))
    assert again == pytest.approx((difference, low, high), abs=1e-9, nan_ok=True)


@settings(deadline=None)  # the machine may be busy
@given(st.floats(-3, 3), st.floats(0.1, 3))
def test_shifted_and_scaled(shift: float, scale: float) -> None:
    """What all have more changes nothing; other units change the interval like the values."""
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 3, 8))
    before = numbers_of(contrast(group("a", a), group("b", b), TAIL))
    after = numbers_of(contrast(group("a", scale * (a + shift)), group("b", scale * (b + shift)), TAIL))
    assert after == pytest.approx([scale * value for value in before], abs=1e-9)


def test_the_best_first() -> None:
    """By the means where all have the same blocks; a lower loss is better; `ahead` is positive either way."""
    low, high = [[1, 2, 3], [3, 2, 1], [2, 2, 2]], [[5, 6, 5], [5, 4, 5], [5, 5, 5]]
    groups = [group("low", low), group("high", high), group("middle", [[3, 3, 3], [3, 4, 3.5], [3, 3, 3.75]])]
    higher, lower = compare(groups, True), compare(groups, False)
    assert [one.label for one in higher.groups] == ["high", "middle", "low"]
    assert [one.label for one in lower.groups] == ["low", "middle", "high"]
    assert [(one.a, one.b, one.difference) for one in higher.ahead] == [("high", "middle", 1.75), ("high", "low", 3.0)]
    assert [(one.a, one.b, one.difference) for one in lower.ahead] == [("low", "middle", 1.25), ("low", "high", 3.0)]
    assert all(one.low <= one.difference <= one.high for one in higher.ahead + lower.ahead)


def test_equal_groups_keep_their_order() -> None:
    """Means that differ by rounding only do not change who is named first."""
    rng = np.random.default_rng(4)
    image = rng.random(500)
    groups = [group(label, [rng.permutation(image) for _ in range(3)]) for label in "dbcae"]
    assert [one.label for one in compare(groups, True).groups] == list("dbcae")


def test_a_known_order_is_kept() -> None:
    """The first given is compared to the others, also where it is not the best in the blocks that they share."""
    found = compare([group("a", [[1, 0]]), group("b", [[1, 1]])], True, is_ordered=True)
    assert [one.label for one in found.groups] == ["a", "b"] and found.ahead[0].difference == -0.5


def test_the_order_is_that_of_what_is_compared() -> None:
    """The others follow by their differences to the first in common blocks, whatever they have in all their blocks."""
    values = {"c": {1: 7, 2: 3}, "d": {3: 1}, "b": {0: 8, 2: 0}, "a": {0: 9, 1: 9}}  # c beats b, but not beside a
    groups = [Group(label, {n: np.full(3, float(v)) for n, v in own.items()}) for label, own in values.items()]
    found = compare(groups, True)
    assert [group.label for group in found.groups] == ["a", "b", "c", "d"]
    assert [(one.b, one.difference) for one in found.ahead[:2]] == [("b", 1), ("c", 2)] and not found.ahead[2].blocks


def test_easy_blocks_are_no_advantage() -> None:
    """A group that was measured where all do well is not the first for it; who beats it in common blocks is."""
    rng = np.random.default_rng(5)
    level = {"easy": 0.9, "hard": 0.1}
    gains = {"a": 0.0, "b": 0.01, "c": -0.3}
    blocks = {"a": ["easy"] * 3 + ["hard"], "b": ["hard"] * 4, "c": ["easy"] * 4}
    groups = [
        Group(
            name, {(kind, place): level[kind] + gains[name] + 1e-4 * rng.random(50) for place, kind in enumerate(own)}
        )
        for name, own in blocks.items()
    ]
    found = compare(groups, True)
    assert [one.label for one in found.groups] == ["b", "a", "c"]
    assert [one.b for one in found.worse()] == ["a"] and [one.b for one in found.not_compared()] == ["c"]


def test_bonferroni() -> None:
    """The more groups, the wider each interval: all pairs together are right in 95 %."""
    rng = np.random.default_rng(6)
    values = {label: rng.random((1, 40)) for label in "abcd"}
    for labels, pairs in (("ab", 1), ("abc", 3), ("abcd", 6)):
        found = compare([group(label, values[label]) for label in labels], True, is_ordered=True).ahead[0]
        theirs = stats.ttest_rel(values["a"][0], values["b"][0]).confidence_interval(1 - 0.05 / pairs)
        assert numbers_of(found)[1:] == pytest.approx((theirs.low, theirs.high))


# --------------------------------------------------------------------------------- how often it is right


def share(times: int, is_so: Callable[[], bool]) -> float:
    """How often something is so."""
    return sum(is_so() for _ in range(times)) / times


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_holds_the_truth(seeds: int) -> None:
    """Of answers right or wrong on 500 images, which depend on image, seed and luck, about 95 % of intervals do."""
    rng = np.random.default_rng(7)

    def right(level: float, images: NDArray[np.float64]) -> NDArray[np.float64]:
        answers: Values = (level + images + crossed(rng, seeds, 500, (0.1, 0.3, 0.7)) > 0).astype(float)
        return answers

    def expected(level: float) -> float:
        return float(stats.norm.cdf(level / (1 + 0.1**2 + 0.3**2 + 0.7**2) ** 0.5))

    truth = expected(1.5) - expected(1.4)

    def holds() -> bool:
        images = rng.standard_normal((1, 500))
        found = contrast(group("a", right(1.5, images)), group("b", right(1.4, images)), TAIL)
        return found.low <= truth <= found.high

    assert share(400, holds) >= 0.92


def test_equal_groups_are_seldom_told_apart() -> None:
    """Whichever of twelve equal groups happens to be the first, it is seldom said that another is worse."""
    rng = np.random.default_rng(8)

    def claims() -> bool:
        groups = [group(str(n), crossed(rng, 3, 100, (0.01, 0.1, 0.1))) for n in range(12)]
        return bool(compare(groups, True).worse())

    assert share(200, claims) <= 0.08
