"""Names and seeds are the same on every machine, and in every version to come."""

from enum import StrEnum

import pytest

from src.base.hashing import fingerprint, stable_seed


class Role(StrEnum):
    """As records have them."""

    SEARCH = "search"


SPACE = {"kernel": {"choice": [3, 5]}, "rate": {"float": {"min": 1e-7, "max": 0.1}}}


def test_a_fingerprint_does_not_know_the_order_of_keys() -> None:
    """Equal contents have equal fingerprints, however they are ordered."""
    assert fingerprint({"a": 1, "b": SPACE}) == fingerprint({"b": SPACE, "a": 1}) != fingerprint({"a": 2, "b": SPACE})


def test_a_fingerprint_stays() -> None:
    """Sweeps are named by it, so it must not change."""
    assert fingerprint(SPACE) == "267d293f454f02906bb21209eb6010f3c1f9c2ca10d4b17a76271aee95b06860"


@pytest.mark.parametrize(
    ("parts", "seed"), [((0, "search", 0), 1_676_505_589), ((0, "confirm", 4), 1_046_146_777), ((7,), 614_903_271)]
)
def test_a_seed_stays(parts: tuple[int | str, ...], seed: int) -> None:
    """Trials of sweeps that exist go on by their seeds, so these must not change."""
    assert stable_seed(*parts) == seed


def test_a_seed_is_the_same_of_a_word_and_its_enumeration() -> None:
    """Whether a part is text or a member of an enumeration of such texts."""
    assert stable_seed(0, Role.SEARCH, 0) == stable_seed(0, "search", 0)


def test_seeds_are_positive_and_of_31_bits() -> None:
    """As TensorFlow and Keras take them: 0 would mean any."""
    seeds = {stable_seed(number, "layer") for number in range(2000)}
    assert len(seeds) == 2000 and min(seeds) >= 1 and max(seeds) < 2**31
