"""The database in `mlruns/` is where it should be, and knows where its artifacts are after a move."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import pytest

from src.ledger.objective import ACCURACY, LOSS, Objective
from src.tracking.store import LOCATIONS, charts, choose_store, database, relocate, set_up_mlflow, store_uri
from tests.unit.tracking.sweeps import configured


def test_the_database_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named absolutely, so that the working directory does not matter."""
    monkeypatch.chdir(tmp_path)
    assert database(Path("mlruns")) == tmp_path / "mlruns/mlflow.db"
    assert store_uri(Path("mlruns")) == f"sqlite:///{tmp_path}/mlruns/mlflow.db"


@pytest.mark.parametrize("before", [None, "http://127.0.0.1:9"])
def test_the_store_stays_out_of_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    """Where a store has been used, a later configuration still says what the user's environment does."""
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if before:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", before)
    choose_store(store_uri(home / "mlruns"))
    assert mlflow.get_tracking_uri() == store_uri(home / "mlruns")
    assert os.environ.get("MLFLOW_TRACKING_URI") == before


def test_a_server_has_no_folder(tmp_path: Path) -> None:
    """With tracking.uri nothing is created here, and nothing is asked of the server yet."""
    set_up_mlflow(configured(tmp_path, "tracking.uri=http://127.0.0.1:9"))
    assert not (tmp_path / "mlruns").exists()


def test_setting_up_again(home: Path) -> None:
    """A store that exists is used as it is."""
    before = {experiment.name for experiment in set_up_mlflow(configured(home)).search_experiments()}
    assert {experiment.name for experiment in set_up_mlflow(configured(home)).search_experiments()} == before


@pytest.mark.parametrize(("objective", "ascending"), [(ACCURACY, "false"), (LOSS, "true")])
def test_charts_show_a_sweeps_trials_the_best_first(objective: Objective, ascending: str) -> None:
    """The address filters by the sweep's own run, and sorts by what the sweep selects by."""
    page, _, query = charts(5, "abc", objective).partition("?")
    parameters = dict(part.split("=") for part in query.split("&"))
    assert page == "#/experiments/5/runs" and parameters["compareRunsMode"] == "CHART"
    assert unquote(parameters["searchFilter"]) == "tags.`mlflow.parentRunId` = 'abc'"
    assert unquote(parameters["orderByKey"]) == f"metrics.`best/{objective.name}`"
    assert parameters["orderByAsc"] == ascending and parameters["workflowType"] == "machine_learning"


# ---------------------------------------------------------------------------------------- relocating


def locations(mlruns: Path) -> list[list[str]]:
    """What the tables say, where artifacts are."""
    with sqlite3.connect(mlruns / "mlflow.db") as connection:
        return [
            sorted(row[0] for row in connection.execute(f"SELECT {column} FROM {table}")) for table, column in LOCATIONS
        ]


def make_database(mlruns: Path, place: Callable[[str], str]) -> None:
    """The columns of MLflow's database that say where artifacts are, in an experiment, a run and a model."""
    mlruns.mkdir()
    with sqlite3.connect(mlruns / "mlflow.db") as connection:
        connection.execute("CREATE TABLE experiments (name TEXT, artifact_location TEXT)")
        connection.execute("CREATE TABLE runs (artifact_uri TEXT)")
        connection.execute("CREATE TABLE logged_models (artifact_location TEXT)")
        connection.execute("INSERT INTO experiments VALUES ('Default', 'mlflow-artifacts:/0')")
        connection.execute("INSERT INTO experiments VALUES ('corners', ?)", (place("corners"),))
        connection.execute("INSERT INTO runs VALUES (?)", (place("corners/abc/artifacts"),))
        connection.execute("INSERT INTO logged_models VALUES (?)", (place("corners/models/m-1/artifacts"),))


def test_a_folder_that_was_moved(tmp_path: Path) -> None:
    """All locations point to where the folder is now; looking once more changes nothing."""
    make_database(tmp_path / "here", lambda path: f"file:///long/ago/mlruns/artifacts/{path}")
    assert relocate(tmp_path / "here")
    root = (tmp_path / "here/artifacts").as_uri()
    assert locations(tmp_path / "here") == [
        [f"{root}/corners", "mlflow-artifacts:/0"],
        [f"{root}/corners/abc/artifacts"],
        [f"{root}/corners/models/m-1/artifacts"],
    ]
    assert not relocate(tmp_path / "here")


def test_artifacts_that_are_elsewhere_stay_there(tmp_path: Path) -> None:
    """Locations on other systems are left as they are."""
    make_database(tmp_path / "here", lambda path: f"s3://bucket/artifacts/{path}")
    before = locations(tmp_path / "here")
    assert not relocate(tmp_path / "here") and locations(tmp_path / "here") == before


def test_a_half_made_database_is_put_aside(tmp_path: Path) -> None:
    """What a creation that was killed left, and MLflow can never open, gets another name; then there is a whole one."""
    root = tmp_path / "mlruns"
    (root / ".creating-before").mkdir(parents=True)
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE datasets (dataset_uuid TEXT)")
    assert [found.name for found in set_up_mlflow(configured(tmp_path)).search_experiments()] == ["Default"]
    names = {path.name.partition("-")[0] for path in root.iterdir()}
    assert names == {"lock", "mlflow.db", "mlflow.db.broken"}


def test_a_database_with_runs_is_never_put_aside(tmp_path: Path) -> None:
    """One that MLflow cannot open stays where it is as long as it has a run."""
    root = tmp_path / "mlruns"
    root.mkdir()
    with closing(sqlite3.connect(root / "mlflow.db")) as connection, connection:
        connection.executescript(
            "CREATE TABLE datasets (a TEXT); CREATE TABLE runs (b TEXT); INSERT INTO runs VALUES (1)"
        )
    with pytest.raises(Exception, match=r"experiments|datasets"):
        set_up_mlflow(configured(tmp_path))
    assert {path.name for path in root.iterdir()} == {"lock", "mlflow.db"}
