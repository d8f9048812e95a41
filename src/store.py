"""MLflow's database in `mlruns/`, as far as it is looked at without MLflow."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

LOCATIONS = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"))


def database(mlruns: Path) -> Path:
    """Where it is."""
    return mlruns.resolve() / "mlflow.db"


def charts(experiment: int | str, parent: str, objective: str) -> str:
    """The address, within MLflow's pages, of a sweep's trials as charts.

    The best come first (sorted by time, MLflow would fold them under their parent).
    """
    search = quote(f"tags.`mlflow.parentRunId` = '{parent}'")
    order = quote(f"metrics.`best/{objective}`", safe="")
    ascending = str(objective == "val_loss").lower()
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
