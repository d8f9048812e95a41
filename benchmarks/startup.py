"""Where does the time of a short command go, from its start to the prompt? The timeline of one small sweep.

    python -m benchmarks.startup                                  one network on 3,000 images: half a minute
    python -m benchmarks.startup search=quick training.epochs=1   any sweep, with its arguments
    python -m benchmarks.startup +stop=2.5                        Ctrl-C after so many seconds: when is the prompt back?

Prints, in order, what happened when, in seconds since the command began. The folders are fresh.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["search=single", "architecture=dnn", "architecture.units=[128]", "training.epochs=2"]
INSIDE = "INSIDE_THE_TIMELINE"  # a variable of the process that is watched


def main(arguments: list[str]) -> None:
    """Run the sweep in a process of its own, and print its timeline."""
    from benchmarks.documents import options  # here, since the process that is watched needs none of it
    from src.reporting.boards import new_table

    own, overrides = options(arguments)
    with TemporaryDirectory() as folder:
        paths = [f"paths.sweeps={folder}/sweeps", f"paths.mlruns={folder}/mlruns"]
        words = overrides or [*SMALL, *images(Path(folder))]
        start = time.time()
        events, code = watch([*words, *paths], float(own.get("stop", "inf")))
    table = new_table("seconds", "after", "what", text=("what",))
    before = start
    for moment, what in events:
        table.add_row(f"{moment - start:.1f}", f"{moment - before:.1f}", what)
        before = moment
    Console(width=100, highlight=False).print(table)
    sys.exit(code)


def watch(overrides: list[str], stop: float) -> tuple[list[tuple[float, str]], int]:
    """What happens when, Ctrl-C after so many seconds among it, and the exit code."""
    command = [sys.executable, "-m", "benchmarks.startup", *overrides]
    inside = os.environ | {INSIDE: "1"}
    with subprocess.Popen(command, cwd=ROOT, env=inside, stdout=subprocess.PIPE, text=True) as process:
        events: list[tuple[float, str]] = []
        if stop < float("inf"):
            time.sleep(stop)
            events.append((time.time(), "Ctrl-C"))
            process.send_signal(signal.SIGINT)
        said = process.communicate()[0]
    events += [*map(tuple, map(json.loads, said.splitlines())), (time.time(), "exit")]
    return sorted(events), process.returncode


def images(folder: Path) -> list[str]:
    """Noise of 10 classes, a little brighter for each, with as many test images as MNIST has."""
    random = np.random.default_rng(0)
    labels = np.arange(13_000) % 10
    noise = (random.integers(0, 150, (13_000, 28, 28)) + 10 * labels[:, None, None]).astype(np.uint8)
    x, y, x_test, y_test = noise[:3000], labels[:3000], noise[3000:], labels[3000:]
    np.savez(folder / "images.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    return ["data=npz", f"data.path={folder}/images.npz"]


def inside() -> None:
    """In the process that is watched: a line a moment, as JSON."""
    say("imported")
    from src import api
    from src.config.compose import compose_and_run
    from src.config.schema import Config

    api.prepare_workers()

    def run(config: Config) -> int:
        say("configuration composed")
        code = api.sweep(config, follow=follow).exit_code
        say("returned")
        return code

    compose_and_run(run)


def follow(event: object) -> None:
    """What is worth a line."""
    from src.ledger.events import Checked, EpochEnded, Finished
    from src.ledger.notices import Completed, Completing, LookingAhead, Opened, Planned
    from src.ledger.records import Evaluation, Probe

    match event:
        case Opened():
            say("images loaded, ledger open")
        case LookingAhead():
            say("workers are being started")
        case Checked():
            say(f"point {event.point} checked")
        case Probe():
            say(f"point {event.point} timed")
        case Planned():
            say("plan ready")
        case EpochEnded():
            if event.epoch.number == 1:
                say(f"trial {event.trial}: first batch", event.epoch.ended - event.epoch.seconds)
            say(f"trial {event.trial}: epoch {event.epoch.number} ended", event.epoch.ended)
        case Finished():
            say(f"trial {event.trial} finished")
        case Evaluation():
            say("evaluated on test images")
        case Completing():
            say(event.words)
        case Completed():
            say(f"{event.what} {'left for later' if event.reason else 'complete'}")


def say(what: str, moment: float = 0) -> None:
    """A line of the timeline."""
    print(json.dumps((moment or time.time(), what)), flush=True)


if __name__ == "__main__":
    if INSIDE in os.environ:
        inside()
    else:
        main(sys.argv[1:])
