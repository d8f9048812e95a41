"""Bring MLflow to where a sweep's ledger is: after an outage, or after `mlruns/` was deleted.

python -m src.sync latest
"""

from pathlib import Path
from typing import Annotated

import typer

from src.base.errors import UserError
from src.base.processes import catch_signals
from src.config.command_line import SweepName, SweepsFolder, run_reading
from src.ledger.database import Ledger
from src.ledger.lock import lock_sweep
from src.ledger.sweep_folder import find, last_config
from src.reporting.console import new_console
from src.sweep import complete_mirror


def main(
    sweep: SweepName = "latest",
    sweeps: SweepsFolder = Path("sweeps"),
    mlruns: Annotated[Path | None, typer.Option(help="Another folder than the sweep's own.")] = None,
    uri: Annotated[str | None, typer.Option(help="A tracking server instead.", envvar="MLFLOW_TRACKING_URI")] = None,
) -> None:
    """Write every trial of a sweep to MLflow, as far as it is not there."""
    found = find(sweeps, sweep)
    with lock_sweep(found.path, steal=False):
        config = last_config(found.path)
        if config.tracking.name != "mlflow":
            raise UserError(f"{found.name} ran with tracking=none: run it once with tracking=mlflow.")
        paths = config.paths.model_copy(update={"mlruns": str(mlruns)} if mlruns else {})
        tracking = config.tracking.model_copy(update={"uri": uri} if uri else {})
        config = config.model_copy(update={"paths": paths, "tracking": tracking})
        ledger = Ledger.open(found.path, found.objective)
        try:
            with catch_signals() as interrupt:
                done = complete_mirror(new_console(), config, ledger, found.path, interrupt)
        finally:
            ledger.close()
        if not done:
            raise typer.Exit(1)
        print(f"{found.name} is complete in MLflow.")


if __name__ == "__main__":
    run_reading(main)
