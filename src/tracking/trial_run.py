"""What a trial's run shows: metrics of every epoch, failures, curves, the model and the weights in other forms."""

import tempfile
import time
from contextlib import suppress
from pathlib import Path

from src.config.identity import flatten
from src.figures import of_trials, style
from src.ledger.files import DamagedError, read_arrays
from src.ledger.history import History
from src.ledger.records import Trial, TrialState
from src.tracking import dumps
from src.tracking.models import build_model, drop_files, log_model
from src.tracking.runs import TrackedSweep, TrialRun, describe_run, log_metrics, make_metrics

STATUSES = {  # MLflow's word for a trial's state
    TrialState.RUNNING: "RUNNING",
    TrialState.WAITING: "SCHEDULED",
    TrialState.INTERRUPTED: "KILLED",
    TrialState.PAUSED: "KILLED",
    TrialState.PRUNED: "KILLED",
    TrialState.FINISHED: "FINISHED",
    TrialState.FAILED: "FAILED",
}
UNDER_WAY = (TrialState.RUNNING, TrialState.WAITING)  # what MLflow shows without an end


def revision_of(trial: Trial, state: TrialState, is_kept: bool) -> str:
    """What a run is to show of a trial: equal as long as nothing of it has changed."""
    return f"{state} {len(trial.epochs)} {trial.attempts} {'kept' if is_kept else ''}"


def show_trial(
    tracked: TrackedSweep, run: TrialRun, history: History, trial: Trial, state: TrialState, is_kept: bool
) -> None:
    """Log everything of one trial that its run does not have yet."""
    client = tracked.client
    if not run.is_described:
        describe_run(tracked, run, history, trial)
    tag_trial(tracked, run, history, trial, state)
    push_epochs(tracked, run, trial)
    show_failures(tracked, run, history, trial)
    if state == TrialState.FINISHED:
        show_finished(tracked, run, history, trial, is_kept)
    if state in UNDER_WAY:
        client.update_run(run.run_id, status=STATUSES[state])
        return
    ended = trial.epochs[-1].ended if trial.epochs else time.time()
    client.set_terminated(run.run_id, status=STATUSES[state], end_time=int(ended * 1000))
    client.set_tag(run.run_id, "revision", revision_of(trial, state, is_kept))  # last: all else is there


def tag_trial(tracked: TrackedSweep, run: TrialRun, history: History, trial: Trial, state: TrialState) -> None:
    """Log what may change of a trial, as tags: its state and why, and the budget it is trained within."""
    from mlflow.entities import RunTag

    tags = {"state": state, "reason": trial.reason, "drift": trial.drift, **flatten(history.invocations[-1].budget)}
    if trial.origin:
        tags["origin"] = trial.origin
    tracked.client.log_batch(run.run_id, tags=[RunTag(key, str(value)) for key, value in tags.items()])


def push_epochs(tracked: TrackedSweep, run: TrialRun, trial: Trial) -> None:
    """Log epochs' metrics with the ledger's times, so that MLflow keeps one copy of a point pushed twice."""
    metrics = [
        point
        for epoch in trial.epochs[run.epochs :]
        for point in make_metrics({**epoch.metrics, "seconds": epoch.seconds}, epoch.ended, epoch.number)
    ]
    log_metrics(tracked.client, run.run_id, metrics)
    run.epochs = len(trial.epochs)


def show_failures(tracked: TrackedSweep, run: TrialRun, history: History, trial: Trial) -> None:
    """Log the last words of the workers that failed on a trial."""
    failures = [one for one in history.failures if (one.job, one.subject) == ("train", trial.number)]
    if failures:
        text = "\n".join(f"{failure.message}\n{failure.traceback}" for failure in failures)
        tracked.client.log_text(run.run_id, text, "failures.txt")


def show_finished(tracked: TrackedSweep, run: TrialRun, history: History, trial: Trial, is_kept: bool) -> None:
    """Log values of the best epoch, curves, model, checkpoint and weight dumps of a finished trial."""
    best, point = trial.epochs[trial.best_epoch - 1], history.point(trial.point)
    values = {f"best/{key}": value for key, value in best.metrics.items() if key != "learning_rate"}
    values |= {"best/epoch": float(best.number), "parameters": float(point.parameters)}
    tracked.client.log_batch(run.run_id, metrics=make_metrics(values, best.ended, 0))  # one value each: drawn as bars
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if tracked.options.curves:
            heading = f"trial {trial.number} · {point.title}"
            style.save(of_trials.curves(trial.epochs, trial.best_epoch, heading), folder / "curves.png")
        if is_kept and trial.weights:
            with suppress(DamagedError):
                dump(tracked, run, history, trial, folder)
        tracked.client.log_artifacts(run.run_id, str(folder))
    if not is_kept:
        drop_files(tracked.client, run.run_id)


def dump(tracked: TrackedSweep, run: TrialRun, history: History, trial: Trial, folder: Path) -> None:
    """Write the weights of the best epoch in every form asked for, and log the model. Raises DamagedError."""
    assert trial.weights
    weights = read_arrays(tracked.sweep.path, trial.weights)
    model = build_model(history, trial, tracked.data, weights)
    dumps.write(folder, model, weights, tracked.options)
    if tracked.options.model:
        log_model(tracked, run.run_id, model, trial.weights.sha256)
