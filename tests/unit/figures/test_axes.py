"""How values lie on an axis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.figures.axes import bins, focus, heights, is_continuous, ordered

NUMBERS = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def test_ordered() -> None:
    """Numbers go by size, words as they come, lists are words; each once."""
    assert ordered([64, 16, 64, 32]) == ["16", "32", "64"]
    assert ordered(["relu", "elu", "relu"]) == ["relu", "elu"]
    assert ordered([[32, 64], [8], [8]]) == ["[32, 64]", "[8]"]
    assert ordered([None, 0.1]) == ["None", "0.1"]


@pytest.mark.parametrize(
    ("values", "answer"),
    [([1, 2, 3], False), (list(range(9)), True), ([True, False], False), ([*range(9), None], False)],
)
def test_is_continuous(values: list[object], answer: bool) -> None:
    """Numbers of many values are an axis; few values, and anything else, are places on one."""
    assert is_continuous(values) is answer


def test_bins() -> None:
    """Many numbers fall into quarters with as many in each; few values stay as they are."""
    found, order = bins([*range(50, 100), *range(50)])
    assert [found.count(name) for name in order] == [25, 25, 25, 25]
    assert order == ["0 to\n25", "25 to\n50", "50 to\n74", "74 to\n99"] and found[0] == order[2]
    assert (
        bins([*range(100, 2100, 20)])[1][0] == "100 to\n600" and bins([*range(100, 2100, 20)])[1][3] == "1.6k to\n2.1k"
    )
    assert bins(["b", "a", "b"]) == (["b", "a", "b"], ["b", "a"])


@given(NUMBERS)
def test_heights_are_between_bottom_and_top(values: list[float]) -> None:
    """Whatever the values, each has a height from 0 to 1, and the larger is never the lower."""
    found, _ = heights(values)
    assert all(0 <= height <= 1 for height in found)
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.array(found)[order]) >= -1e-12).all()


def test_heights_of_many_decades() -> None:
    """Over more than a decade heights follow the logarithm."""
    found, labels = heights([10.0**k for k in range(-5, 5)])
    assert np.allclose(np.diff(found), 1 / 9) and labels == {0.0: "1e-05", 1.0: "1e+04"}


@given(NUMBERS)
def test_focus_shows_the_bulk(values: list[float]) -> None:
    """At least half of the results are within the limits, which are never empty."""
    low, high = focus(values)
    assert low < high and np.mean([low <= value <= high for value in values]) >= 0.5


def test_focus_leaves_out_what_is_far_away() -> None:
    """Networks that learn nothing do not press all others together."""
    low, high = focus([0.1, 0.1, *np.linspace(0.95, 0.99, 30)])
    assert 0.9 < low < 0.95 and 0.99 < high < 1
