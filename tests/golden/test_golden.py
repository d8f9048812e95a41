"""Whoever changes the training code learns whether trials give other bits than before: see `golden`."""

import re
from typing import Any

import pytest

from tests.golden import golden
from tests.golden.golden import Stored, decide, skeleton

COMMAND = "python -m tests.golden.golden"


def test_sources_have_been_looked_at() -> None:
    """A change to the training code is committed together with a look at its bits."""
    seen = golden.read().get("sources") == golden.digest_sources()
    assert seen, f"the training sources have changed: run `{COMMAND}`, which says whether the bits have, too"


@pytest.mark.timeout(900)
def test_bits_are_those_stored() -> None:
    """On a processor whose bits are known, under the versions they are of."""
    stored, here = golden.read(), golden.machine()
    if stored["versions"] != golden.versions():
        pytest.skip(f"the stored bits are those of {stored['versions']}; installed are {golden.versions()}")
    if here not in stored["bits"]:
        pytest.skip(f"no bits are stored of {here}: `{COMMAND}` adds them")
    assert golden.compute_all() == stored["bits"][here], f"other bits than before: `{COMMAND}` says what to do"


# ------------------------------------------------------------------------------- what the command decides

BITS = {"1": {"plain": "a", "wide": "b"}, "2": {"plain": "c", "wide": "d"}}
OTHER = {"1": {"plain": "a", "wide": "b"}, "2": {"plain": "c", "wide": "e"}}


def of(bits: dict[str, Any], **changed: Any) -> Stored:
    """What is stored, or here."""
    return {"trial_code": "1", "sources": "s", "versions": {"keras": "3"}, "bits": bits, **changed}


@pytest.mark.parametrize(
    ("before", "bits", "stored", "said"),
    [
        ({}, {"A": BITS}, {"A": BITS}, "in place of all"),
        (of({"A": BITS}), {"A": BITS}, {"A": BITS}, "looked at"),
        (of({"A": BITS, "B": BITS}), {"A": OTHER}, None, r"'wide' with 2 threads: .* raise TRIAL_CODE .* CHANGELOG"),
        (of({"A": BITS}), {"B": OTHER}, {"A": BITS, "B": OTHER}, "Nothing was compared"),
        (of({"A": BITS, "B": BITS}, trial_code="0"), {"A": OTHER}, {"A": OTHER}, "trial code 1"),
        (of({"A": BITS}, versions={"keras": "2"}), {"A": OTHER}, None, "install .*keras.*2"),
        (of({"A": BITS}, versions={"keras": "2"}, sources="t"), {"A": OTHER}, {"A": OTHER}, "these versions"),
        (of({"A": {"1": {"gone": "x"}, "2": {}}}), {"A": BITS}, {"A": BITS}, "looked at"),
    ],
    ids=["first", "same", "others", "elsewhere", "raised", "both", "upgrade", "new"],
)
def test_decision(before: Stored, bits: dict[str, Any], stored: dict[str, Any] | None, said: str) -> None:
    """The training sources have changed from s to t: what is stored, and what is said."""
    found, why = decide(before, of(bits, sources="t"))
    assert (found and found["bits"], found and found["sources"]) == (stored, stored and "t")
    assert why.endswith(".") and re.search(said, why)


def test_only_what_is_said_counts() -> None:
    """Comments, docstrings and layout leave a module's skeleton as it is; a number does not."""
    source = 'def f(x: int) -> int:\n    """Doubles."""\n    return 2 * x  # twice\n'
    assert skeleton(source) == skeleton("def f(\n    x: int,\n) -> int:\n    return (2 * x)\n")
    assert skeleton(source) != skeleton(source.replace("2", "3"))
