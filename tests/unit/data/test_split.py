"""Parts of a data set have every class in the same proportions."""

import numpy as np
import pytest

from src.base.errors import UserError
from src.data.dataset import Part
from src.data.split import split


def part_of(*counts: int) -> Part:
    """So many images of each class, mixed, each known by its one pixel."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    return Part(np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1), labels)


def numbers(part: Part) -> list[int]:
    """Which images a part has."""
    return part.x.ravel().astype(int).tolist()


@pytest.mark.parametrize("shares", [[0.1], [0.1, 0.2], [0.25, 0.25, 0.25]])
def test_each_class_is_shared_out_alike(shares: list[float]) -> None:
    """Each part has its share of every class, the last one the rest; every image is in one of them."""
    whole = part_of(100, 40, 20)
    parts = split(whole, shares, 0, "here")
    for part, share in zip(parts, [*shares, 1 - sum(shares)], strict=True):
        assert np.bincount(part.y).tolist() == [round(share * count) for count in (100, 40, 20)]
    assert sorted(number for part in parts for number in numbers(part)) == list(range(160))


def test_images_keep_their_order_and_labels() -> None:
    """Within a part images follow each other as in the whole, each with its label."""
    whole = part_of(30, 30)
    for part in split(whole, [0.3], 0, "here"):
        found = numbers(part)
        assert found == sorted(found) and part.y.tolist() == whole.y[found].tolist()


def test_the_seed_decides() -> None:
    """The same seed gives the same parts on every machine; another one others."""
    first, again, other = (numbers(split(part_of(30, 30), [0.1], seed, "here")[0]) for seed in (0, 0, 1))
    assert first == again != other
    assert first == [2, 17, 21, 26, 44, 51]


def test_small_classes_have_an_image_in_each_part() -> None:
    """A share of less than an image is one."""
    parts = split(part_of(100, 3), [0.1, 0.1], 0, "here")
    assert [np.bincount(part.y).tolist() for part in parts] == [[10, 1], [10, 1], [80, 1]]


@pytest.mark.parametrize(
    ("count", "share", "words"),
    [
        (1, 0.1, "class 1 has 1 image, too few to hold out 1 and 1; add images, or leave the class out."),
        (2, 0.1, "class 1 has 2 images, too few to hold out 1 and 1; add images, or leave the class out."),
        (8, 0.5, "class 0 has 100 images, too few to hold out 50 and 50; add images, or lower data.validation"),
    ],
)
def test_classes_that_are_too_small(count: int, share: float, words: str) -> None:
    """Where nothing would be left to train on, the class is named, with a way out that helps."""
    with pytest.raises(UserError, match=f"here: {words}"):
        split(part_of(100, count), [share, share], 0, "here")
