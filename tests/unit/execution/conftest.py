"""For the tests of sessions."""

from pathlib import Path

import pytest

from tests.unit.execution.sessions import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Empty folders, where jobs are answered instead of worked on."""
    return Home(tmp_path, monkeypatch)
