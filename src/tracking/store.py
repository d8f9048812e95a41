"""MLflow's store: the database in `mlruns/`, looked at with and without MLflow."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from filelock import FileLock

from src.config.schema import Config, Mlflow
from src.ledger.objective import Objective

CREATING = ".creating-"  # what the folder's name begins with in which a database comes to be


def set_environment() -> None:
    """What MLflow and Keras read when they are imported."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # the tracker itself tries again
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def set_up_mlflow(config: Config) -> Any:
    """MLflow's client for the configured store, created if there is none."""
    import mlflow

    assert isinstance(config.tracking, Mlflow)
    uri = config.tracking.uri or store_uri(Path(config.paths.mlruns))
    choose_store(uri)
    if config.tracking.uri:
        return mlflow.MlflowClient(uri)
    root = Path(config.paths.mlruns).resolve()
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "lock"):  # creating the database takes seconds, and races
        try:
            return open_database(root, uri)
        except Exception:  # a creation that was killed leaves what MLflow can never open
            if holds_runs(database(root)):
                raise
            put_aside(database(root))
            return open_database(root, uri)


def open_database(root: Path, uri: str) -> Any:
    """MLflow's client for the database in a folder, which is created if there is none. Its caller holds the lock."""
    import mlflow

    if database(root).is_file():
        relocate(root)
    else:
        create_database(root)
    client = mlflow.MlflowClient(uri)
    client.search_experiments(max_results=1)
    return client


def create_database(root: Path) -> None:
    """Create MLflow's database aside, and put it in its place whole: a kill leaves none."""
    import mlflow

    for left in root.glob(f"{CREATING}*"):
        shutil.rmtree(left)
    with TemporaryDirectory(dir=root, prefix=CREATING) as folder:
        draft, whole = Path(folder) / "draft.db", Path(folder) / "whole.db"
        mlflow.MlflowClient(f"sqlite:///{draft}").search_experiments(max_results=1)
        with closing(sqlite3.connect(draft)) as source, closing(sqlite3.connect(whole)) as copy:
            source.backup(copy)  # MLflow keeps the draft open
        os.replace(whole, database(root))


def holds_runs(path: Path) -> bool:
    """Whether a database has any run, deleted ones included, or cannot be read at all."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
                return False
            return connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True


def put_aside(path: Path) -> None:
    """Give a database that MLflow cannot open another name: `mlflow.db.broken-<time>`."""
    path.rename(path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}"))


def choose_store(uri: str) -> None:
    """Make MLflow use a store in this process.

    MLflow writes it to the environment too, where the next configuration would take it for a server of the user's.
    """
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


def store_uri(mlruns: Path) -> str:
    """The database in a folder, as MLflow wants it."""
    return f"sqlite:///{database(mlruns)}"


LOCATIONS = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"))


def database(mlruns: Path) -> Path:
    """Where it is."""
    return mlruns.resolve() / "mlflow.db"


def charts(experiment: int | str, parent: str, objective: Objective) -> str:
    """The address, within MLflow's pages, of a sweep's trials as charts.

    The best come first (sorted by time, MLflow would fold them under their parent).
    """
    search = quote(f"tags.`mlflow.parentRunId` = '{parent}'")
    order = quote(f"metrics.`best/{objective.name}`", safe="")
    ascending = str(not objective.is_higher_better).lower()
    page = f"#/experiments/{experiment}/runs?workflowType=machine_learning&compareRunsMode=CHART"
    return f"{page}&orderByKey={order}&orderByAsc={ascending}&searchFilter={search}"


def relocate(mlruns: Path) -> bool:
    """Write the artifacts' absolute locations anew if the folder was moved or copied; whether it was.

    MLflow stores them absolute, and shows runs without artifacts where they are wrong.
    """
    here = (mlruns.resolve() / "artifacts").as_uri()
    with sqlite3.connect(f"{database(mlruns).as_uri()}?mode=rw", uri=True) as connection:
        known = connection.execute("SELECT name, artifact_location FROM experiments").fetchall()
        suffixes = ((location, f"/artifacts/{name}") for name, location in known)
        roots = {location.removesuffix(end) + "/artifacts" for location, end in suffixes if location.endswith(end)}
        moved = {root for root in roots if root != here and root.startswith("file://")}
        for root in moved:
            for table, column in LOCATIONS:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (here, len(root) + 1, len(root) + 1, root + "/"),
                )
    connection.close()
    return bool(moved)
