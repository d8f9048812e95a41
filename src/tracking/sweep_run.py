"""What a sweep's own run shows: the winner's metrics as they come; table, report, model and notes at the end."""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from src.analysis.conclusions import answer
from src.analysis.ranking import own_score
from src.analysis.tables import trial_table
from src.config.identity import flatten
from src.figures import of_images, style
from src.ledger.files import DamagedError, read_arrays
from src.ledger.history import History
from src.ledger.objective import OBJECTIVES
from src.ledger.records import Evaluation, Role, Trial, TrialState
from src.ledger.sweep_folder import commands
from src.tracking.models import build_model, delete_artifact, log_model
from src.tracking.runs import NOTE, TrackedSweep, log_metrics, make_metrics
from src.tracking.store import charts

LISTED = 50  # sweeps in an experiment's note


def show_evaluation(tracked: TrackedSweep, runs: Sequence[str], evaluation: Evaluation) -> None:
    """Log test metrics, first predictions, confusion matrix and worst mistakes, to a trial's run, a sweep's, or both."""
    values = {"test_accuracy": evaluation.accuracy, "test_loss": evaluation.loss}
    for run in runs:
        tracked.client.log_batch(run, metrics=make_metrics(values, evaluation.ended, 0))
    if not evaluation.predictions:
        return
    with suppress(DamagedError), tempfile.TemporaryDirectory() as scratch:
        probabilities = read_arrays(tracked.sweep.path, evaluation.predictions)["probabilities"]
        for draw in (of_images.first_predictions, of_images.confusion, of_images.mistakes):
            style.save(draw(tracked.data.test, probabilities), Path(scratch) / f"{draw.__name__}.png")
        for run in runs:
            tracked.client.log_artifacts(run, scratch, "test")


def close_sweep_run(tracked: TrackedSweep, run: str, history: History, best: Trial | None, is_done: bool) -> None:
    """Log best so far, configuration, samples, table, report, the winner as a model and notes; then end the run."""
    client = tracked.client
    log_metrics(client, run, best_so_far(history))
    client.log_artifact(run, str(tracked.sweep.path / "config.yaml"))
    show_table(client, run, history)
    show_report(tracked, run)
    show_model(tracked, run, history, best)
    write_notes(tracked, run, history)
    client.set_tag(run, "state", "complete" if is_done else "interrupted")
    for key, value in flatten(history.invocations[-1].budget).items():
        client.set_tag(run, key, str(value))
    client.set_terminated(run, status="FINISHED" if is_done else "KILLED")


def best_so_far(history: History) -> list[Any]:
    """The best objective over trials by number, as far as they are done; under a key for each number of epochs."""
    until = max((len(trial.epochs) for trial in history.trials), default=0)
    best: Trial | None = None
    points: list[Any] = []
    for trial in (trial for trial in history.trials if trial.role == Role.SEARCH):
        if trial.state == TrialState.FINISHED and (trial.stopped_early or len(trial.epochs) == until):
            best = min(best or trial, trial, key=lambda one: own_score(history, one))
            assert best.objective is not None
            key = f"best_so_far/{history.objective}_{until}_epochs"
            points += make_metrics({key: best.objective}, trial.epochs[-1].ended, trial.number)
        elif trial.state != TrialState.FAILED:
            break
    return points


# --------------------------------------------------------------------------------------- artifacts


def show_samples(tracked: TrackedSweep, run: str) -> None:
    """Log a picture of the first training images of each class."""
    with tempfile.TemporaryDirectory() as scratch:
        picture = style.save(of_images.samples(tracked.data.train), Path(scratch) / "samples.png")
        tracked.client.log_artifact(run, str(picture))


def show_table(client: Any, run: str, history: History) -> None:
    """Log all trials as a table, in the place of an earlier one."""
    table = trial_table(history)
    if table:
        delete_artifact(client, run, "results.json")  # `log_table` appends
        columns = {key: [row[key] for row in table] for key in table[0]}
        client.log_table(run, columns, "results.json")


def show_report(tracked: TrackedSweep, run: str) -> None:
    """Log the report that the sweep's session has written, if it has."""
    folder = tracked.sweep.path / "report"
    if tracked.options.curves and folder.is_dir():
        tracked.client.log_artifacts(run, str(folder), "report")


def show_model(tracked: TrackedSweep, run: str, history: History, best: Trial | None) -> None:
    """Log the model of the best trial, if its weights are at hand."""
    if not (best and best.weights and tracked.options.model):
        return
    with suppress(DamagedError):
        weights = read_arrays(tracked.sweep.path, best.weights)
        model = build_model(history, best, tracked.data, weights)
        log_model(tracked, run, model, best.weights.sha256)


# ------------------------------------------------------------------------------------------- notes


def write_notes(tracked: TrackedSweep, run: str, history: History) -> None:
    """Write what MLflow shows above a sweep's run and above its experiment: the answer, and where to look."""
    client, experiment = tracked.client, tracked.experiment
    said = answer(tracked.sweep, history)
    client.set_tag(run, "winner", said[0])
    client.set_tag(run, NOTE, note_of_sweep(tracked, run, history, said))
    runs = client.search_runs([experiment], "tags.winner LIKE '%'", max_results=LISTED)
    lines = [describe_sweep(experiment, one.info.run_id, one.data.tags) for one in runs]
    client.set_experiment_tag(experiment, NOTE, "\n".join(lines))


def note_of_sweep(tracked: TrackedSweep, run: str, history: History, said: list[str]) -> str:
    """Links, the answer in sentences, and the commands that made and show the sweep, in Markdown."""
    link = charts(tracked.experiment, run, history.objective)
    links = f"[Trials as charts]({link}) · report: Artifacts → report/report.html"
    again = "\n".join(f"    {command}" for command in commands(tracked.sweep))
    return "\n\n".join([links, *said, again])


def describe_sweep(experiment: str, run: str, tags: dict[str, str]) -> str:
    """A sweep's line in the experiment's note, by the tags of its run."""
    link = charts(experiment, run, OBJECTIVES[tags.get("objective", "val_accuracy")])
    return f"- [{tags['sweep']}]({link}): {tags['winner']}"
