"""The same from Python: what commands do, as functions that give what these print.

    from src import api

    sweep = api.find_sweep("latest")
    api.compare_values(sweep, "activation").conclusions
    pandas.DataFrame(api.compare_trials(sweep).table)

Whatever the user can fix is a UserError. What takes long to import is imported where it is needed.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from src.analysis import findings
from src.analysis.findings import Findings
from src.analysis.ranking import rank_points
from src.base.disk import contents
from src.base.errors import UserError
from src.base.processes import catch_signals, start_server
from src.base.text import command
from src.config.schema import Config
from src.data.dataset import Dataset
from src.data.load import load, load_same
from src.execution.cleaning import Checkpoints, drop_checkpoints, find_checkpoints
from src.execution.overview import describe_sweep
from src.ledger import sweep_folder
from src.ledger.database import Ledger, read_history
from src.ledger.events import Event
from src.ledger.history import History
from src.ledger.lock import is_held, lock_sweep
from src.ledger.notices import Notice
from src.ledger.sweep_folder import Sweep, last_config

if TYPE_CHECKING:
    from src.tracking.deletion import Traces

SWEEPS = Path("sweeps")
PRELOADED = "src.training.preload"  # what workers have in common
Follow = Callable[[Event | Notice], None]  # hears of every event and notice of a run

# ------------------------------------------------------------------------------------------ running


@dataclass(frozen=True)
class Outcome:
    """What came of a run: its sweep's folder and records, and the signal that stopped it, if one did."""

    path: Path
    history: History
    signal: int = 0

    @property
    def exit_code(self) -> int:
        """0 where a trial has finished, 1 where none has, 128 and the signal's number where one stopped it."""
        if self.signal:
            return 128 + self.signal
        return 0 if rank_points(self.history) else 1


def prepare_workers() -> None:
    """Begin to import what workers need, while there is other to do; a run does so anyway."""
    start_server(PRELOADED)


def run(config: Config, console: Console, command: str) -> int:
    """Preview, or run what is left of, the sweep that a configuration names; the exit code. Raises UserError."""
    if config.preview:
        return preview(config, console)
    return sweep(config, console, command).exit_code


def sweep(config: Config, console: Console | None = None, command: str = "", follow: Follow | None = None) -> Outcome:
    """Run what is left of the sweep that a configuration names: what is there is gone on with. Raises UserError.

    `console` shows it; `command` is written down as what goes on with it; `follow` hears of every event and notice.
    """
    from src.execution.follower import Follower
    from src.execution.session import open_session, run_session
    from src.reporting.display import Screen, start_log
    from src.reporting.writer import ReportWriter
    from src.tracking.observer import MlflowObserver

    prepare_workers()
    with ExitStack() as stack:
        session = stack.enter_context(open_session(config, command))
        session.interrupt = stack.enter_context(catch_signals())  # until here Ctrl-C ends it: data may be downloaded
        start_log(session.path / "sweep.log")
        if console:
            screen = Screen(console, session.schedule, session.slots, session.data, session.began)
            session.observers.append(stack.enter_context(screen))
        if follow:
            session.observers.append(Follower(follow))
        opened = sweep_folder.open_sweep(session.path)
        session.observers.append(ReportWriter(opened, session.history, session.data, session.tell))
        if config.tracking.name == "mlflow":
            mirror = MlflowObserver(session.config, session.path, session.history, session.tell)
            session.observers.append(stack.enter_context(mirror))
        run_session(session)
        return Outcome(session.path, session.history, session.interrupt.signal)


def preview(config: Config, console: Console) -> int:
    """Check all points and measure speed; print what the sweep would do, and store nothing. The exit code; raises
    UserError."""
    from src.execution.preview import open_preview
    from src.execution.preview import preview as look_ahead
    from src.reporting.boards import preview_table, print_board
    from src.reporting.console import overview, print_existing
    from src.reporting.data import describe_images
    from src.reporting.display import Screen

    prepare_workers()
    with open_preview(config) as session, catch_signals() as interrupt:
        session.interrupt = interrupt
        for line in describe_images(session.data, config.training):
            console.print(line, markup=False, soft_wrap=True)
        print_existing(console, session.schedule, session.path)
        with Screen(console, session.schedule, session.slots, session.data, session.began) as screen:
            session.observers.append(screen)
            slots = look_ahead(session)
        if interrupt.count:
            return 128 + interrupt.signal
        if session.history.points:
            print_board(console, preview_table(session.history))
        overview(console, session.schedule, slots, screen.timing.describe_all(slots))
        what = "The sweep is running already" if is_held(session.path) else "Leave preview=true out to start"
        console.print(f"[dim]preview: nothing was stored. {what}.[/dim]", soft_wrap=True)
        return 0


def sync(sweep: Sweep, console: Console, mlruns: Path | None = None, uri: str | None = None) -> bool:
    """Bring MLflow to where a sweep's ledger is, in its own folder and store or in others; whether it is complete.

    Raises UserError where the sweep is in use, or ran without MLflow.
    """
    from src.execution.session import complete
    from src.reporting.completion import Completion
    from src.tracking.observer import MlflowObserver

    with lock_sweep(sweep.path, steal=False), catch_signals() as interrupt:
        config = last_config(sweep.path)
        if config.tracking.name != "mlflow":
            raise UserError(f"{sweep.name} ran with tracking=none: run it once with tracking=mlflow.")
        paths = config.paths.model_copy(update={"mlruns": str(mlruns)} if mlruns else {})
        tracking = config.tracking.model_copy(update={"uri": uri} if uri else {})
        config = config.model_copy(update={"paths": paths, "tracking": tracking})
        words = [sweep.name, *(["--uri", uri] if uri else [])]
        again = command("sync", *words, sweeps=sweep.path.parent, mlruns=paths.mlruns)
        with (
            closing(Ledger.open(sweep.path, sweep.objective)) as ledger,
            Completion(console, again) as shown,
            MlflowObserver(config, sweep.path, ledger.history, shown.on_notice) as mirror,
        ):
            complete(ledger, mirror.complete(is_done=True), interrupt)
            return bool(mirror.tracker and mirror.tracker.done)


# ------------------------------------------------------------------------------------------ reading


def find_sweep(name: str = "latest", sweeps: Path = SWEEPS) -> Sweep:
    """A sweep by its name, an unambiguous beginning of it, or `latest`. Raises UserError where there is none."""
    return sweep_folder.find(sweeps, name)


def read(sweep: Sweep) -> History:
    """All records of a sweep, whether or not it is running. Raises UserError where its ledger cannot be read."""
    return read_history(sweep.path, sweep.objective)


def describe_sweeps(sweeps: Path = SWEEPS) -> list[dict[str, Any]]:
    """One row a sweep of a folder, the one written last first; the columns are `describe_sweep`'s.

    Raises UserError where there is no sweep.
    """
    return [describe_sweep(path) for path in sweep_folder.need_sweeps(sweeps)]


# ---------------------------------------------------------------------------------------- comparing


def compare_trials(sweep: Sweep) -> Findings:
    """One row a trial, and whether the first place is more than chance. Raises UserError where nothing can be read."""
    return findings.compare_trials(sweep, read(sweep))


def compare_values(sweep: Sweep, key: str) -> Findings:
    """One row a value of a key, paired over equal seeds and equal other settings.

    Raises UserError where the key was not searched, or no trial has finished.
    """
    return findings.compare_values(sweep, read(sweep), key)


def compare_sweeps(sweeps: Sequence[Sweep]) -> Findings:
    """One row a sweep, by its first place. Raises UserError where their results cannot be compared."""
    return findings.compare_sweeps(sweeps, [read(sweep) for sweep in sweeps])


@dataclass(frozen=True)
class Report:
    """The report of a sweep, and why it is without test images, if it is."""

    path: Path
    trouble: str


def write_report(sweep: Sweep) -> Report:
    """Write the HTML report of a sweep anew; test images are in it if the data is where it was. Raises UserError."""
    from src.reporting import html

    data, trouble = None, ""
    try:
        data = load_same(last_config(sweep.path).data, sweep.frozen["data"]["digest"])
    except UserError as error:
        trouble = str(error)
    return Report(html.write(sweep, read(sweep), data), trouble)


# ----------------------------------------------------------------------------------------- cleaning


def plan_cleaning(sweep: Sweep) -> Checkpoints:
    """The checkpoints that only an extension would need. Raises UserError, also where the sweep is in use."""
    with lock_sweep(sweep.path, steal=False):
        return find_checkpoints(sweep)


def clean(sweep: Sweep) -> Checkpoints:
    """Remove the checkpoints that only an extension would need; returns which. Raises UserError as `plan_cleaning`."""
    with lock_sweep(sweep.path, steal=False):
        found = find_checkpoints(sweep)
        if found.trials:
            drop_checkpoints(sweep, found)
        return found


@dataclass(frozen=True)
class Whole:
    """All that there is of a sweep: its folder, and its runs in MLflow."""

    files: int
    bytes: int
    runs: int
    place: str  # where the runs are, or would be
    is_remote: bool  # their server only marks them as deleted
    are_lost: bool  # it was written to MLflow once, and no run of it is found now


def plan_removal(sweep: Sweep) -> Whole:
    """What a sweep consists of. Raises UserError, also where it is in use or MLflow does not answer."""
    with lock_sweep(sweep.path, steal=False):
        return find_all(sweep)[0]


def remove(sweep: Sweep) -> Whole:
    """Remove a sweep, its runs in MLflow first, its folder last; returns what it was. Raises UserError as `plan_removal`.

    A removal that was cut short goes on when it is repeated.
    """
    from src.tracking.deletion import delete_traces

    with lock_sweep(sweep.path, steal=False):
        found, traces = find_all(sweep)
        delete_traces(traces)
        sweep_folder.remove(sweep.path)
        return found


def find_all(sweep: Sweep) -> tuple[Whole, "Traces"]:
    """What a sweep consists of, and its runs. Raises UserError that says how else to be rid of it."""
    from src.tracking.deletion import find_traces

    try:
        config, history = last_config(sweep.path), read(sweep)
    except UserError as error:
        raise UserError(
            f"{error} To be rid of it all the same, delete {sweep.path}/ yourself; its runs in MLflow stay."
        ) from error
    traces = find_traces(config, sweep, history)
    were_tracked = any(trial.run_id for trial in history.trials)
    runs, place = len(traces.runs), traces.place
    return Whole(*contents(sweep.path), runs, place, traces.are_remote, were_tracked and not runs), traces


# --------------------------------------------------------------------------------------------- data


def load_data(config: Config) -> Dataset:
    """The images that a configuration names, checked and split. Raises UserError that says what is wrong with them."""
    return load(config.data)
