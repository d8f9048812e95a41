"""Serve MLflow's pages on this machine, and print a link to each sweep's trials as charts.

python -m src.ui
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from src.config.command_line import run_reading
from src.tracking.server import prepare_links, refuse_missing, refuse_taken, serve


def main(
    mlruns: Annotated[Path, typer.Option(help="The folder of MLflow's database.")] = Path("mlruns"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="To listen on, at 127.0.0.1 only.")] = 5000,
) -> None:
    """Print the links, then serve until Ctrl-C."""
    refuse_missing(mlruns)
    refuse_taken(port)
    found = prepare_links(mlruns, port)
    console = Console(highlight=False, soft_wrap=True)
    console.print("[dim]starting MLflow …[/dim]")

    def tell() -> None:
        """Print where to look, once the server answers."""
        for name, link in found:
            console.print(f"{name}\n  {link}", markup=False)
        console.print("[dim]Ctrl-C ends the server.[/dim]")

    serve(mlruns, port, tell)


if __name__ == "__main__":
    run_reading(main)
