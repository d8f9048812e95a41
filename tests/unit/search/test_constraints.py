"""Constraints are worked out as written, and nothing of them runs as code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.base.errors import RefusedError, UserError
from src.search.constraints import holds, parse
from tests.unit.examples import history_of

KEYS = {"architecture.filters", "architecture.dense_units", "optimizer.name", "architecture.kernel"}
VALUES = {"architecture.filters": [8, 16], "architecture.dense_units": 64, "optimizer.name": "sgd"}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("architecture.dense_units <= 64", True),
        ("architecture.dense_units < 2 * architecture.filters[1] + 3", False),
        ("architecture.filters[0] < architecture.filters[1]", True),
        ("8 < architecture.dense_units < 65", True),
        ("architecture.dense_units % 2 == 0 and architecture.dense_units // 10 == 6", True),
        ("optimizer.name in ['adam', 'sgd'] and not architecture.dense_units > 100", True),
        ("optimizer.name != 'sgd' or architecture.dense_units == 32", False),
        ("-architecture.dense_units / 2 == -32", True),
        ("architecture.kernel > 100", True),
        ("architecture.filters[2] > 100", True),
        ("architecture.filters[3] > 100", True),
    ],
)
def test_holds(text: str, answer: bool) -> None:
    """Comparisons, arithmetic, lists and logic mean what they mean in Python; of a key or an entry that a point has not, all holds."""
    assert holds(parse(text, KEYS), VALUES) is answer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("architecture.dense_unit < 3", "no key 'architecture.dense_unit'; did you mean"),
        ("__import__('os').system('true')", "not allowed"),
        ("architecture.filters.__class__ == 1", "there is no key"),
        ("[x for x in (1, 2)]", "not allowed"),
        ("(lambda: 1)()", "not allowed"),
        ("architecture.kernel ** 9999999", "not allowed"),
        ("architecture.kernel < ", "invalid syntax"),
        ("architecture.kernel = 3", "invalid syntax"),
        ("", "write it as in"),
        ("optimizer.name == adam", "there is no key 'adam'; a word needs quotes of its own: 'adam'."),
        ("filter < 3", "there is no key 'filter'"),
        ("1 < " * 200 + "2", "longer than"),
        ("f'{architecture.kernel}' == 3", "not allowed"),
        ("architecture.filters[architecture.kernel] == 3", "not allowed"),
    ],
)
def test_what_is_no_constraint(text: str, words: str) -> None:
    """Whatever else Python allows is refused, with what was written."""
    with pytest.raises(UserError, match=r"search\.constraints") as error:
        parse(text, KEYS)
    assert words in str(error.value)


@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    """Any text is a constraint, or an error in words."""
    try:
        holds(parse(text, KEYS), VALUES)
    except UserError as error:
        assert "search.constraints" in str(error)


@pytest.mark.parametrize(
    "text", ["architecture.filters < 3", "optimizer.name * 3 == 'a'", "architecture.dense_units % 0 == 1"]
)
def test_what_cannot_be_worked_out(text: str) -> None:
    """A comparison of unlike things says so, with the expression."""
    with pytest.raises(RefusedError, match="cannot be evaluated"):
        holds(parse(text, KEYS), VALUES)


def test_how_long_a_constraint_may_be() -> None:
    """Five hundred characters, blanks among them."""
    text = "architecture.kernel < 4".rjust(500)
    assert not holds(parse(text, KEYS), {"architecture.kernel": 5})
    with pytest.raises(UserError, match="longer than 500 characters"):
        parse(" " + text, KEYS)


def test_points_that_break_one_are_named() -> None:
    """Such points are infeasible before anything is built, with the constraint as the reason."""
    space = {"architecture": {"kernel": {"choice": [3, 5]}, "pool": {"choice": [2, 3]}}}
    history = history_of("search.constraints=['architecture.kernel + architecture.pool != 6']", space=space)
    assert [point.state for point in history.points] == ["feasible", "infeasible", "feasible", "feasible"]
    assert history.points[1].reason == "constraint: architecture.kernel + architecture.pool != 6"


def test_the_first_that_is_broken_is_named() -> None:
    """In the order written."""
    space = {"architecture": {"kernel": {"choice": [3, 5]}}}
    history = history_of("search.constraints=['architecture.kernel < 5', 'architecture.kernel != 5']", space=space)
    assert [point.reason for point in history.points] == ["", "constraint: architecture.kernel < 5"]
