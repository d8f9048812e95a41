"""Search a space: check, train, resume, and say which configuration is best.

python -m src.sweep search=cnn_grid                 the same command resumes
python -m src.sweep search=cnn_grid preview=true    what it would do and cost; stores nothing
python -m src.sweep search=cnn_grid training.epochs=20 search.max_trials=10
"""

import os
import socket
import time
from collections import Counter
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from src.analysis.ranking import rank_trials
from src.analysis.tables import left_out
from src.base.disk import free_bytes
from src.base.errors import UserError
from src.base.processes import Interrupt, catch_signals
from src.base.text import again, command, number_of, show_bytes, show_value, spans
from src.config.compose import compose_and_run
from src.config.identity import budget
from src.config.schema import Config, Mlflow
from src.data.dataset import Dataset
from src.data.load import load
from src.execution.coordinator import propose, run
from src.execution.local import Pool, allowed_workers
from src.execution.reuse import Library
from src.ledger import environment
from src.ledger.database import Ledger
from src.ledger.events import Dropped, Mirrored, Stopped
from src.ledger.history import History
from src.ledger.jobs import CheckJob
from src.ledger.lock import lock_sweep
from src.ledger.objective import OBJECTIVES
from src.ledger.records import Invocation, PointState, TrialState
from src.ledger.sweep_folder import create_or_check, similar_sweeps, sweep_path, write_last
from src.reporting.console import new_console, overview, preview_table, result
from src.reporting.display import Screen, start_log
from src.search.budget import target
from src.search.estimate import bytes_needed
from src.search.problem import Plan, ahead_only
from src.search.schedule import is_bounded, is_complete, next_job, trials_to_come
from src.tracking.process import Tracker


def main(config: Config) -> int:
    """Preview, or run what is left of, the sweep that a configuration names; the exit code."""
    console = new_console()
    plan = Plan.of(config)
    data = load(config.data)
    path = sweep_path(config, data.label, data.digest)
    if config.preview:
        return preview(console, plan, data, path)
    with lock_sweep(path, config.resume.steal):
        is_new = create_or_check(path, config, data.digest)
        console.print(
            f"sweep [b]{path.name}[/b] in {escape(os.path.relpath(path))} ({'new' if is_new else 'going on'})",
            soft_wrap=True,
        )
        if is_new:
            mention_similar_sweeps(console, path, config, data)
        write_last(path, config, again())
        start_log(path / "sweep.log")
        ledger = Ledger.open(path, OBJECTIVES[config.search.objective])
        try:
            return sweep(console, plan, data, ledger, path)
        finally:
            ledger.close()


def preview(console: Console, plan: Plan, data: Dataset, path: Path) -> int:
    """Check all points and probe speed, in memory; print what the sweep would do."""
    ledger = Ledger.in_memory(path, OBJECTIVES[plan.config.search.objective])
    recover(plan.config, ledger)
    propose(plan, ledger)
    log = Path(os.devnull)
    with catch_signals() as interrupt, closing(Pool(plan.config, path, log, data.digest, useful(ledger))) as pool:
        workers = len(pool.workers)
        look_ahead(console, plan, data, ledger, pool, interrupt)
    if interrupt.count:
        return 128 + interrupt.signal
    if ledger.history.points:
        console.print(preview_table(ledger.history))
    overview(console, plan, ledger.history, len(data.train), workers)
    console.print("[dim]preview: nothing was stored. Leave preview=true out to start.[/dim]")
    return 0


def sweep(console: Console, plan: Plan, data: Dataset, ledger: Ledger, path: Path) -> int:
    """Run what is left, then show the result; the exit code."""
    here = environment.describe()
    plan.drift = environment.drift(ledger.history, here)
    refuse_drift(plan, ledger, plan.drift)
    ledger.save(invocation(plan.config, len(ledger.history.invocations) + 1, here))
    recover(plan.config, ledger)
    if (until := target(plan.config, ledger.history)) > plan.config.training.epochs:
        words = f"its trials have had up to {until} epochs already; training.epochs={plan.config.training.epochs} asks for fewer"
        console.print(f"note: {words}", style="yellow", soft_wrap=True)
    with catch_signals() as interrupt:
        if has_work_left(plan, ledger):
            train_all(console, plan, data, ledger, path, interrupt)
        else:
            refuse_infeasible(ledger)
            spent = is_bounded(plan, ledger.history)
            console.print("Nothing is left to do within this budget." if spent else "This sweep is complete.")
            if mirror_revision(plan.config, ledger) not in {row.mirrored for row in ledger.history.invocations}:
                complete_mirror(console, plan.config, ledger, path, interrupt)
    result(console, plan, ledger.history, path)
    print_next_steps(console, plan, ledger.history, path, interrupt)
    if interrupt.count:
        return 128 + interrupt.signal
    return 0 if rank_trials(ledger.history) else 1


def train_all(console: Console, plan: Plan, data: Dataset, ledger: Ledger, path: Path, interrupt: Interrupt) -> None:
    """Look ahead, then train, while MLflow follows."""
    pool = Pool(plan.config, path, path / "sweep.log", data.digest, useful(ledger))
    tracker: Tracker | None = None
    try:
        workers = len(pool.workers)
        look_ahead(console, plan, data, ledger, pool, interrupt)
        if interrupt.count:
            return
        refuse_infeasible(ledger)
        overview(console, plan, ledger.history, len(data.train), workers)
        refuse_full_disk(plan, ledger, path)
        if plan.config.tracking.name == "mlflow":
            tracker = Tracker(plan.config, path, path / "sweep.log")
        library = Library(plan.config, path, data.digest, ledger.history.invocations[-1].environment, plan.drift)
        with Screen(console, plan, ledger.history, pool, len(data.train)) as screen:

            def tell(event: Any) -> None:
                screen.tell(event)
                follow(plan.config, ledger, tracker, screen)

            run(plan, ledger, pool, interrupt, tell, library.take)
        pool.close()
        ledger.delete_orphans()  # what a worker that was killed had half written
        if tracker:
            is_done = next_job(plan, ledger.history, ()) is None
            finish_tracking(console, plan.config, ledger, tracker, path, interrupt, is_done)
    finally:
        pool.close()
        if tracker:
            tracker.close()


def useful(ledger: Ledger) -> int:
    """How many workers can have something to do at once."""
    return sum(point.state in (PointState.UNCHECKED, PointState.FEASIBLE) for point in ledger.history.points)


def look_ahead(console: Console, plan: Plan, data: Dataset, ledger: Ledger, pool: Pool, interrupt: Interrupt) -> None:
    """Check all points and probe speed: what must be known before the first trial."""
    with Screen(console, plan, ledger.history, pool, len(data.train)) as screen:
        run(ahead_only(plan), ledger, pool, interrupt, screen.tell)


def recover(config: Config, ledger: Ledger) -> None:
    """After a kill: what was running was interrupted. Then what the user wants tried again."""
    ledger.delete_orphans()
    for trial in ledger.history.trials:
        if trial.state == TrialState.RUNNING:
            ledger.save(Stopped(trial.number))
        if trial.state == TrialState.FAILED and config.search.retry_failed:
            trial.state, trial.crashes = TrialState.WAITING, 0
            ledger.save(trial)
    for point in ledger.history.points:
        if (
            config.search.retry_failed
            and point.state == PointState.INFEASIBLE
            and ledger.history.crashes[CheckJob.kind, point.number]
        ):
            point.state, point.reason = PointState.UNCHECKED, ""
            ledger.save(point)


def has_work_left(plan: Plan, ledger: Ledger) -> bool:
    """Whether anything is to be checked, trained or evaluated."""
    propose(plan, ledger)
    return next_job(plan, ledger.history, ()) is not None


def follow(config: Config, ledger: Ledger, tracker: Tracker | None, screen: Screen | None) -> None:
    """Write down which runs MLflow has; drop checkpoints that are not to be kept."""
    for event in tracker.poll() if tracker else ():
        ledger.save(event)
    if tracker and tracker.trouble and screen:
        screen.say_once(f"MLflow: {tracker.trouble} (training goes on; the runs are completed as soon as it answers)")
    if config.checkpoints.keep == "all":
        return
    for trial in rank_trials(ledger.history)[max(config.checkpoints.keep, 1) :]:
        if trial.weights and (trial.run_id or not tracker):
            ledger.save(Dropped(trial.number))


def complete_mirror(console: Console, config: Config, ledger: Ledger, path: Path, interrupt: Interrupt) -> bool:
    """Bring MLflow to where the ledger of a sweep is that has nothing else to do; whether that succeeded."""
    if config.tracking.name != "mlflow":
        return True
    tracker = Tracker(config, path, path / "sweep.log")
    try:
        finish_tracking(console, config, ledger, tracker, path, interrupt, True)
    finally:
        tracker.close()
    return tracker.done


def finish_tracking(
    console: Console,
    config: Config,
    ledger: Ledger,
    tracker: Tracker,
    path: Path,
    interrupt: Interrupt,
    is_done: bool,
) -> None:
    """Wait until MLflow has everything, or the user asks once more to stop."""
    tracker.finish(is_done)
    asked = interrupt.count
    if not console.is_terminal:
        console.print("writing the last of it to MLflow …")
    with console.status("writing the last of it to MLflow (Ctrl-C leaves it for later) …"):
        while tracker.is_alive() and interrupt.count == asked:
            follow(config, ledger, tracker, None)
            time.sleep(0.1)
    follow(config, ledger, tracker, None)
    if tracker.done:
        ledger.save(Mirrored(mirror_revision(config, ledger)))
    else:
        reason = tracker.trouble or f"it was stopped, or its process ended ({path.name}/sweep.log says why)"
        text = f"MLflow is not complete: {reason}. To complete it: {command('sync')} {path.name}"
        console.print(text, style="yellow", markup=False, soft_wrap=True)


def mirror_revision(config: Config, ledger: Ledger) -> str:
    """Where MLflow is, and what of the ledger it shows once it is complete; empty if it is not used."""
    tracking, history = config.tracking, ledger.history
    if not isinstance(tracking, Mlflow):
        return ""
    store = tracking.uri or str(Path(config.paths.mlruns).resolve() / "mlflow.db")
    exists = bool(tracking.uri) or Path(store).is_file()
    states = sorted(Counter(trial.state.value for trial in history.trials).items())
    epochs = sum(len(trial.epochs) for trial in history.trials)
    return f"{store} {exists} {tracking.model_dump_json()} {states} {epochs} {len(history.evaluations)}"


def invocation(config: Config, number: int, here: dict[str, str]) -> Invocation:
    """This start of the sweep, as a row."""
    reach = budget(config)
    reach["workers"]["count"] = allowed_workers(config)
    now = time.time()
    return Invocation(number, now, now, socket.gethostname(), os.getpid(), reach, here)


def mention_similar_sweeps(console: Console, path: Path, config: Config, data: Dataset) -> None:
    """A new sweep may be an old one with a key changed by mistake."""
    for name, changed in islice(similar_sweeps(path, config, data.digest), 2):
        keys = ", ".join(f"{key} ({show_value(old)} there)" for key, (old, _) in changed.items())
        text = f"the sweep {name} " + (f"differs only in {keys}" if keys else "is the same configuration")
        if changed.keys() == {"training.epochs"}:
            text += ": the schedule of the learning rate depends on it, so this one starts anew"
        console.print(text, style="dim", markup=False, soft_wrap=True)


def refuse_drift(plan: Plan, ledger: Ledger, drift: str) -> None:
    """Raises UserError where trials would be trained on under versions that give other bits."""
    search, resume = plan.config.search, plan.config.resume
    if drift and not resume.allow_drift and (search.retry_failed or not is_complete(plan, ledger.history)):
        raise UserError(
            f"since this sweep was trained, {drift} has changed, so its trials would not be comparable to the last bit: "
            "go back to what was, or go on with resume.allow_drift=true (the trials are then marked)."
        )


def refuse_infeasible(ledger: Ledger) -> None:
    """Raises UserError where none of the points can be trained, with the reasons."""
    points = ledger.history.points
    if points and not any(point.state in (PointState.FEASIBLE, PointState.UNCHECKED) for point in points):
        reasons = "\n       ".join(f"{reason} (points {spans(n)})" for reason, n in left_out(ledger.history).items())
        raise UserError(f"none of the {number_of(len(points), 'point')} can be trained:\n       {reasons}")


def refuse_full_disk(plan: Plan, ledger: Ledger, path: Path) -> None:
    """Raises UserError where checkpoints and MLflow's artifacts would not fit."""
    checkpoints, mlflow = bytes_needed(plan, ledger.history)
    if free_bytes(path) < checkpoints + mlflow:
        raise UserError(
            f"the sweep needs about {show_bytes(checkpoints + mlflow)} of disk and {path} has {show_bytes(free_bytes(path))} free: "
            "make room, or keep less (checkpoints.keep=5 tracking.keep=5)."
        )


def print_next_steps(console: Console, plan: Plan, history: History, path: Path, interrupt: Interrupt) -> None:
    """Where everything is, and what to do next."""
    if interrupt.count:
        states = Counter(trial.state for trial in history.trials)
        trials = number_of(len(history.trials) + trials_to_come(plan, history), "trial")
        counts = f"{states[TrialState.FINISHED]} of {trials} finished, {states[TrialState.INTERRUPTED] + states[TrialState.PAUSED]} under way"
        done = states[TrialState.FINISHED] == len(history.trials) and len(history.evaluations) > 0
        text = "Stopped while MLflow was written to; all else is done" if done else f"Stopped: {counts}"
        console.print(f"{text}. To go on: [b]{escape(again())}[/b]", soft_wrap=True)
        return
    console.print(f"[dim]all trials:  [/dim] {command('compare')} {path.name}", soft_wrap=True)
    if isinstance(plan.config.tracking, Mlflow):
        console.print(f"[dim]MLflow:      [/dim] {plan.config.tracking.uri or command('ui')}", soft_wrap=True)
    console.print(f"[dim]files:       [/dim] {os.path.relpath(path)}")


if __name__ == "__main__":
    compose_and_run(main)
