"""Serve MLflow's pages on this machine, and print a link to each sweep's trials as charts.

python -m src.ui
"""

import os
import sqlite3
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console

from src.config import UserError, run_reading


def main(
    mlruns: Annotated[Path, typer.Option(help="The folder of MLflow's database.")] = Path("mlruns"),
    port: Annotated[int, typer.Option(help="To listen on, at 127.0.0.1 only.")] = 5000,
) -> None:
    """Print the links, then serve until Ctrl-C."""
    database = mlruns.resolve() / "mlflow.db"
    if not database.is_file():
        raise UserError(
            f"there is no {mlruns}/mlflow.db yet; it comes with the first sweep: python -m src.sweep search=cnn_grid"
        )
    console = Console(highlight=False, soft_wrap=True)
    for name, link in links(database, port):
        console.print(f"{name}\n  {link}", markup=False)
    console.print("[dim]Ctrl-C ends the server.[/dim]")
    serve(database, mlruns, port)


def links(database: Path, port: int) -> list[tuple[str, str]]:
    """Each sweep's name and the page that shows its trials as charts, the newest first."""
    query = """SELECT t.value, r.experiment_id, r.run_uuid FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'sweep'
        WHERE r.lifecycle_stage = 'active'
        AND NOT EXISTS (SELECT 1 FROM tags p WHERE p.run_uuid = r.run_uuid AND p.key = 'trial') ORDER BY r.start_time DESC"""
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True) as connection:
        found = connection.execute(query).fetchall()
    return [(name, chart_link(port, experiment, run)) for name, experiment, run in found]


def chart_link(port: int, experiment: int, parent: str) -> str:
    """The trials of one sweep, as charts, the best first (sorted by time, MLflow would fold them under their parent)."""
    search = quote(f"tags.`mlflow.parentRunId` = '{parent}'")
    order = quote("metrics.`best/val_accuracy`", safe="")
    page = f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs"
    return f"{page}?workflowType=machine_learning&compareRunsMode=CHART&orderByKey={order}&orderByAsc=false&searchFilter={search}"


def serve(database: Path, mlruns: Path, port: int) -> None:
    """Become MLflow's server, reachable from this machine alone."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    store = f"sqlite:///{database}"
    address = f"127.0.0.1:{port}"
    command = [
        "mlflow",
        "server",
        "--backend-store-uri",
        store,
        "--default-artifact-root",
        (mlruns.resolve() / "artifacts").as_uri(),
    ]
    command += [
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--allowed-hosts",
        f"{address},localhost:{port}",
        "--workers",
        "1",
    ]
    os.execv(sys.executable, [sys.executable, "-m", *command])


if __name__ == "__main__":
    run_reading(main)
