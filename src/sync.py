"""Bring MLflow to where a sweep's ledger is: after an outage, or after `mlruns/` was deleted.

python -m src.sync latest
"""

from pathlib import Path
from typing import Annotated

import typer

from src import api
from src.config.command_line import SweepName, SweepsFolder, run_reading
from src.reporting.console import new_console


def main(
    sweep: SweepName = "latest",
    sweeps: SweepsFolder = api.SWEEPS,
    mlruns: Annotated[Path | None, typer.Option(help="Another folder than the sweep's own.")] = None,
    uri: Annotated[str | None, typer.Option(help="A tracking server instead.", envvar="MLFLOW_TRACKING_URI")] = None,
) -> None:
    """Write every trial of a sweep to MLflow, as far as it is not there."""
    found = api.find_sweep(sweep, sweeps)
    if not api.sync(found, new_console(), mlruns, uri):
        raise typer.Exit(1)
    print(f"{found.name} is complete in MLflow.")


if __name__ == "__main__":
    run_reading(main)
