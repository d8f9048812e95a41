"""MLflow's database, which takes seconds to create, is shared by all tests; each has sweeps of its own in it."""

from pathlib import Path

import pytest

from src.tracking.store import set_environment, set_up_mlflow
from tests.unit.tracking.sweeps import configured


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and MLflow's database."""
    folder = tmp_path_factory.mktemp("home")
    set_environment()
    set_up_mlflow(configured(folder))
    return folder
