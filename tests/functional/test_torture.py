"""The short form of `make torture`: a few kills, in `make test`."""

import subprocess
import sys

import pytest

from tests.functional.conftest import PROJECT, environment


@pytest.mark.timeout(600)
def test_killed_at_steps_and_at_random() -> None:
    """A sweep killed at any step or time, then finished, equals one that nobody killed, in MLflow too."""
    command = [sys.executable, "-m", "tests.functional.torture", "--kills", "4", "--every", "170"]
    result = subprocess.run(command, cwd=PROJECT, env=environment(), capture_output=True, text=True, timeout=580)
    assert result.returncode == 0, result.stdout
