"""The short form of `make torture`: a few kills of each kind, in `make test`."""

import sys

from tests.functional.conftest import run


def test_killed_at_steps_and_at_random() -> None:
    """A sweep killed at any step or time, then finished, equals one that nobody killed, in MLflow too."""
    result = run([sys.executable, "-m", "tests.functional.torture", "--kills", "6", "--every", "120"])
    assert result.returncode == 0, result.stdout
