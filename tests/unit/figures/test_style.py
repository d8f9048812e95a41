"""Words and numbers within figures are short."""

import pytest

from src.figures.style import compact, shorten


@pytest.mark.parametrize(("value", "text"), [(20, "20"), (0.001, "0.001"), (50_000, "50k"), (2_000_000, "2M")])
def test_compact(value: float, text: str) -> None:
    """Labels of a logarithmic axis are short."""
    assert compact(value) == text


@pytest.mark.parametrize(("text", "short"), [("relu", "relu"), ("123456", "123456"), ("1234567", "1234 …"), ("", "")])
def test_shorten(text: str, short: str) -> None:
    """What is too long ends in an ellipsis, and is then as long as it may be."""
    assert shorten(text, 6) == short
