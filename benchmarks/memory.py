"""Does memory stay flat? The processes of a sweep of 300 small trials, looked at while it runs.

python -m benchmarks.memory              10 minutes on 2 cores
python -m benchmarks.memory +trials=100
"""

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from rich.console import Console

from src.ledger.database import read_history
from src.ledger.records import TrialState
from src.ledger.sweep_folder import list_sweeps, open_sweep
from src.reporting.boards import new_table

SWEEP = ["architecture=dnn", "search=cnn_random", "~search.space.architecture", "training.epochs=2", "workers.count=2"]


def main(arguments: list[str]) -> None:
    """Run the sweep, and print what each process held after every tenth of it."""
    own = dict(argument[1:].split("=") for argument in arguments if argument.startswith("+"))
    trials = int(own.get("trials", 300))
    table = new_table("trials", "coordinator MB", "largest worker MB", "MLflow MB")
    held: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"paths.sweeps={folder}/sweeps", f"paths.mlruns={folder}/mlruns"]
        command = [sys.executable, "-m", "src.sweep", *SWEEP, f"search.max_trials={trials}", *paths]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            time.sleep(0.5)
            done = count_done(Path(folder) / "sweeps")
            if done and done // (trials // 10) > len(held):
                sizes = measure(process.pid)
                held[done] = sizes[0]
                table.add_row(str(done), *(f"{size:.1f}" for size in sizes))
    console = Console(width=100, highlight=False)
    console.print(table)
    (first, low), *_, (last, high) = held.items()
    console.print(f"The coordinator grew by {(high - low) / (last - first):.3f} MB a trial.")


def count_done(root: Path) -> int:
    """Finished trials."""
    with suppress(Exception):  # it is about to begin
        (path,) = list_sweeps(root)
        return sum(
            trial.state == TrialState.FINISHED for trial in read_history(path, open_sweep(path).objective).trials
        )
    return 0


def measure(coordinator: int) -> list[float]:
    """Megabytes of the coordinator, of its largest worker, and of the process that writes to MLflow."""
    children = psutil.Process(coordinator).children(recursive=True)
    sizes = [(child.memory_info().rss / 1e6, child.nice()) for child in children]
    least = min(nice for _, nice in sizes)
    workers = [size for size, nice in sizes if nice == least]
    trackers = [size for size, nice in sizes if nice > least]
    return [psutil.Process(coordinator).memory_info().rss / 1e6, max(workers), max(trackers, default=0.0)]


if __name__ == "__main__":
    main(sys.argv[1:])
