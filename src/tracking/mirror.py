"""A sweep in MLflow: its runs, found by their tags or created, and brought to where the ledger is."""

import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.analysis import conclusions
from src.analysis.ranking import evaluation_of, final_trial, own_score, rank_trials
from src.analysis.tables import trial_table
from src.config.identity import flatten
from src.config.schema import Config, Mlflow
from src.data.dataset import Dataset
from src.data.load import load_same
from src.figures import of_images, of_trials, style
from src.ledger import sweep_folder
from src.ledger.database import read_history
from src.ledger.events import Tracked
from src.ledger.files import Arrays, DamagedError, read_arrays
from src.ledger.history import History
from src.ledger.objective import OBJECTIVES
from src.ledger.records import Evaluation, Role, Trial, TrialState
from src.ledger.sweep_folder import Sweep
from src.reporting import html
from src.tracking import dumps, models
from src.tracking.models import delete_artifact, drop_files, log_model
from src.tracking.store import charts

NOTE = "mlflow.note.content"
LISTED = 50  # sweeps in an experiment's note
ACTIVE = {
    "running": "RUNNING",
    "waiting": "SCHEDULED",
    "interrupted": "KILLED",
    "paused": "KILLED",
    "pruned": "KILLED",
    "finished": "FINISHED",
    "failed": "FAILED",
}


@dataclass
class MlflowMirror:
    """A sweep in MLflow: its experiment, its parent run, its trials' runs."""

    client: Any
    config: Config
    sweep: Sweep
    data: Dataset
    experiment: str
    parent: str = ""
    runs: dict[int, str] = field(default_factory=dict)  # trial → run
    shown: dict[int, str] = field(default_factory=dict)  # trial → its revision in MLflow
    pushed: dict[int, int] = field(default_factory=dict)  # trial → epochs pushed by this process
    described: set[str] = field(default_factory=set)  # runs with their params and data set
    parent_shown: str = ""
    evaluations: int = 0  # shown by this process

    @classmethod
    def open(cls, client: Any, config: Config, sweep: Sweep) -> "MlflowMirror":
        """Find or create the experiment."""
        import mlflow

        data = load_same(config.data, sweep.frozen["data"]["digest"])
        experiment = find_experiment(client, config, data.label)
        mlflow.set_experiment(experiment_id=experiment)  # models are logged to the current one
        return cls(client, config, sweep, data, experiment)

    @property
    def options(self) -> Mlflow:
        """What to log."""
        assert isinstance(self.config.tracking, Mlflow)
        return self.config.tracking

    def reconcile(self, finishing: bool, is_done: bool) -> Iterator[Tracked]:
        """Bring MLflow to where the ledger is. What fails for one trial is raised after the others had their turn."""
        history = read_history(self.sweep.path, self.sweep.objective)
        if not history.invocations:
            return
        if not self.parent:
            self.find_runs(history)
        model = final_trial(history)
        best = list(dict.fromkeys(trial.number for trial in (model, *rank_trials(history)) if trial))
        keep = len(best) if self.options.keep == "all" else self.options.keep
        errors: list[Exception] = []
        for trial in history.trials:
            state = TrialState.INTERRUPTED if finishing and trial.state == TrialState.RUNNING else trial.state
            kept = trial.number in best[:keep]
            revision = f"{state} {len(trial.epochs)} {trial.attempts} {'kept' if kept else ''}"
            if not trial.attempts:
                continue
            is_shown = self.shown.get(trial.number) == revision
            try:
                if not is_shown:
                    self.show(history, trial, state, kept, revision)
            except Exception as error:
                errors.append(error)
                continue
            self.shown[trial.number] = revision
            if state not in (TrialState.RUNNING, TrialState.WAITING) and not (is_shown and trial.run_id):
                yield Tracked(trial.number, self.runs[trial.number])
        if errors:
            raise errors[0]
        self.show_parent(history, finishing, is_done)

    # ------------------------------------------------------------------------------ finding runs

    def find_runs(self, history: History) -> None:
        """The sweep's runs that exist already, by their tags; the parent is created if it does not."""
        identifier = sweep_id(self.sweep, history)
        self.parent, page = "", None
        while page != "":
            query = f"tags.`sweep.id` = '{identifier}'"
            found = self.client.search_runs([self.experiment], query, max_results=1000, page_token=page)
            for run in found:
                tags = run.data.tags
                if "trial" in tags:
                    self.runs[int(tags["trial"])] = run.info.run_id
                    self.shown[int(tags["trial"])] = tags.get("revision", "")
                    if "parameters" in run.data.params:
                        self.described.add(run.info.run_id)
                else:
                    self.parent = run.info.run_id
            page = found.token or ""
        if not self.parent:
            tags = {"sweep": self.sweep.name, "sweep.id": identifier, "mlflow.source.name": "python -m src.sweep"}
            tags["objective"] = history.objective.name
            began = int(history.invocations[0].started * 1000)
            run = self.client.create_run(self.experiment, start_time=began, tags=tags, run_name=self.sweep.name)
            self.parent = run.info.run_id
        self.client.update_run(self.parent, status="RUNNING")

    def create_run(self, history: History, trial: Trial) -> str:
        """A trial's run, with the tags it is found by."""
        point = history.point(trial.point)
        environment = history.invocations[-1].environment
        tags = {
            "mlflow.parentRunId": self.parent,
            "mlflow.source.name": "python -m src.sweep",
            "mlflow.source.git.commit": environment.get("git", ""),
            "sweep": self.sweep.name,
            "sweep.id": sweep_id(self.sweep, history),
            "trial": str(trial.number),
            "point": str(trial.point),
            "repeat": str(trial.repeat),
            "role": trial.role,
            "host": history.invocations[-1].host,
            **{f"version.{name}": version for name, version in environment.items() if name != "git"},
            **{key: str(value) for key, value in point.values.items()},
        }
        name = f"{trial.number:03d} {point.title if point.values else self.sweep.name}{seed_of(trial)}"
        first = next((epoch.ended - epoch.seconds for epoch in trial.epochs), time.time())
        run = self.client.create_run(self.experiment, start_time=int(first * 1000), tags=tags, run_name=name)
        return str(run.info.run_id)

    def describe_run(self, run: str, history: History, trial: Trial) -> None:
        """A trial's data set and params; `parameters` comes last and says that they are all there."""
        from mlflow.entities import Param

        point = history.point(trial.point)
        assert point.configuration
        identity = {**point.configuration.identity(), "data": self.sweep.frozen["data"], "seed": trial.seed}
        identity["search"] = {k: v for k, v in self.sweep.frozen["search"].items() if k != "space"}
        values = {**point.values, **flatten(identity)}  # a group's choice by its name too
        params = [Param(key, str(value)) for key, value in values.items()]
        self.client.log_inputs(run, datasets=dataset_inputs(self.data))
        self.client.log_batch(run, params=[*params, Param("parameters", str(point.parameters))])
        self.described.add(run)

    # ----------------------------------------------------------------------------- showing trials

    def show(self, history: History, trial: Trial, state: str, kept: bool, revision: str) -> None:
        """Everything of one trial that MLflow does not have yet."""
        if trial.number not in self.runs:
            self.runs[trial.number] = self.create_run(history, trial)
        run = self.runs[trial.number]
        if run not in self.described:
            self.describe_run(run, history, trial)
        tags = {"state": state, "reason": trial.reason, "drift": trial.drift, **flatten(history.invocations[-1].budget)}
        if trial.origin:
            tags["origin"] = str(trial.origin)
        self.push_epochs(run, trial, tags)
        if failures := [f for f in history.failures if (f.job, f.subject) == ("train", trial.number)]:
            text = "\n".join(f"{failure.message}\n{failure.traceback}" for failure in failures)
            self.client.log_text(run, text, "failures.txt")
        if state == TrialState.FINISHED:
            self.show_finished(run, history, trial, kept)
        if state in (TrialState.RUNNING, TrialState.WAITING):
            self.client.update_run(run, status=ACTIVE[state])
        else:
            ended = trial.epochs[-1].ended if trial.epochs else time.time()
            self.client.set_terminated(run, status=ACTIVE[state], end_time=int(ended * 1000))
            self.client.set_tag(run, "revision", revision)

    def push_epochs(self, run: str, trial: Trial, tags: dict[str, Any]) -> None:
        """Epochs' metrics with the ledger's times, so that MLflow keeps one copy of a point pushed twice."""
        from mlflow.entities import RunTag

        new = trial.epochs[self.pushed.get(trial.number, 0) :]
        metrics = [
            point
            for epoch in new
            for point in epoch_metrics({**epoch.metrics, "seconds": epoch.seconds}, epoch.ended, epoch.number)
        ]
        self.client.log_batch(run, tags=[RunTag(key, str(value)) for key, value in tags.items()])
        self.log_metrics(run, metrics)
        self.pushed[trial.number] = len(trial.epochs)

    def log_metrics(self, run: str, metrics: list[Any]) -> None:
        """Any number of points; MLflow takes 1,000 at a time."""
        for start in range(0, len(metrics), 1000):
            self.client.log_batch(run, metrics=metrics[start : start + 1000])

    def show_finished(self, run: str, history: History, trial: Trial, kept: bool) -> None:
        """Values of the best epoch, curves, model, checkpoint and weight dumps of a finished trial."""
        best = trial.epochs[trial.best_epoch - 1]
        values = {f"best/{key}": value for key, value in best.metrics.items() if key != "learning_rate"}
        values |= {"best/epoch": float(best.number), "parameters": float(history.point(trial.point).parameters)}
        self.client.log_batch(run, metrics=epoch_metrics(values, best.ended, 0))  # one value each: drawn as bars
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            if self.options.curves:
                heading = history.point(trial.point).title
                style.save(
                    of_trials.curves(trial.epochs, trial.best_epoch, f"trial {trial.number} · {heading}"),
                    folder / "curves.png",
                )
            if kept and trial.weights:
                with suppress(DamagedError):
                    self.dump(run, history, trial, read_arrays(self.sweep.path, trial.weights), folder)
            self.client.log_artifacts(run, str(folder))
        if not kept:
            drop_files(self.client, run)

    def dump(self, run: str, history: History, trial: Trial, weights: Arrays, folder: Path) -> None:
        """The weights of the best epoch in every form asked for."""
        model = models.build_model(history, trial, self.data, weights)
        dumps.write(folder, model, weights, self.options)
        if self.options.model:
            assert trial.weights
            log_model(self.client, run, model, trial.weights.sha256, self.data)

    # ----------------------------------------------------------------------------- showing the sweep

    def show_parent(self, history: History, finishing: bool, is_done: bool) -> None:
        """The sweep's own run: the winner's metrics as they come; everything else at the end."""
        best = final_trial(history)
        revision = f"{[trial.number for trial in rank_trials(history)]} {best and (best.number, best.best_epoch)} {len(history.evaluations)} {finishing}"
        if revision == self.parent_shown:
            return
        for evaluation in history.evaluations[self.evaluations :]:
            self.show_evaluation(self.runs[evaluation.trial], evaluation)
        self.evaluations = len(history.evaluations)
        if best and (latest := evaluation_of(history, best)):
            self.show_evaluation(self.parent, latest)
        if finishing:
            self.close_parent(history, best, is_done)
        self.parent_shown = revision

    def show_evaluation(self, run: str, evaluation: Evaluation) -> None:
        """Test metrics, first predictions, confusion matrix and worst mistakes."""
        values = {"test_accuracy": evaluation.accuracy, "test_loss": evaluation.loss}
        self.client.log_batch(run, metrics=epoch_metrics(values, evaluation.ended, 0))
        if not evaluation.predictions:
            return
        with suppress(DamagedError), tempfile.TemporaryDirectory() as scratch:
            probabilities = read_arrays(self.sweep.path, evaluation.predictions)["probabilities"]
            for draw in (of_images.first_predictions, of_images.confusion, of_images.mistakes):
                style.save(draw(self.data.test, probabilities), Path(scratch) / f"{draw.__name__}.png")
            self.client.log_artifacts(run, scratch, "test")

    def best_so_far(self, history: History) -> list[Any]:
        """The best objective over trials by number, as far as they are done; under a key for each number of epochs."""
        until = max((len(trial.epochs) for trial in history.trials), default=0)
        best: Trial | None = None
        points: list[Any] = []
        for trial in (trial for trial in history.trials if trial.role == Role.SEARCH):
            if trial.state == TrialState.FINISHED and (trial.stopped_early or len(trial.epochs) == until):
                best = min(best or trial, trial, key=lambda one: own_score(history, one))
                assert best.objective is not None
                key = f"best_so_far/{history.objective}_{until}_epochs"
                points += epoch_metrics({key: best.objective}, trial.epochs[-1].ended, trial.number)
            elif trial.state != TrialState.FAILED:
                break
        return points

    def close_parent(self, history: History, best: Trial | None, is_done: bool) -> None:
        """Best so far, configuration, table, samples, the winner as a model; then the run is closed."""
        self.log_metrics(self.parent, self.best_so_far(history))
        self.client.log_artifact(self.parent, str(self.sweep.path / "config.yaml"))
        with tempfile.TemporaryDirectory() as scratch:
            self.client.log_artifact(
                self.parent, str(style.save(of_images.samples(self.data.train), Path(scratch) / "samples.png"))
            )
        table = trial_table(history)
        if table:
            delete_artifact(self.client, self.parent, "results.json")  # `log_table` appends
            columns = {key: [row[key] for row in table] for key in table[0]}
            self.client.log_table(self.parent, columns, "results.json")
        if self.options.curves:
            html.write(self.sweep, history, self.data)
            self.client.log_artifacts(self.parent, str(self.sweep.path / "report"), "report")
        if best and best.weights and self.options.model:
            with suppress(DamagedError):
                weights = read_arrays(self.sweep.path, best.weights)
                model = models.build_model(history, best, self.data, weights)
                log_model(self.client, self.parent, model, best.weights.sha256, self.data)
        self.write_notes(history)
        self.client.set_tag(self.parent, "state", "complete" if is_done else "interrupted")
        for key, value in flatten(history.invocations[-1].budget).items():
            self.client.set_tag(self.parent, key, str(value))
        self.client.set_terminated(self.parent, status="FINISHED" if is_done else "KILLED")

    def write_notes(self, history: History) -> None:
        """What MLflow shows above a run and an experiment: the answer, and where to look."""
        said = conclusions.answer(self.sweep, history)
        link = charts(self.experiment, self.parent, history.objective)
        links = f"[Trials as charts]({link}) · report: Artifacts → report/report.html"
        again = "\n".join(f"    {command}" for command in sweep_folder.commands(self.sweep))
        self.client.set_tag(self.parent, "winner", said[0])
        self.client.set_tag(self.parent, NOTE, "\n\n".join([links, *said, again]))
        runs = self.client.search_runs([self.experiment], "tags.winner LIKE '%'", max_results=LISTED)
        lines = [self.describe_sweep(run.info.run_id, run.data.tags) for run in runs]
        self.client.set_experiment_tag(self.experiment, NOTE, "\n".join(lines))

    def describe_sweep(self, run: str, tags: dict[str, str]) -> str:
        """A sweep's line in the experiment's note."""
        link = charts(self.experiment, run, OBJECTIVES[tags.get("objective", "val_accuracy")])
        return f"- [{tags['sweep']}]({link}): {tags['winner']}"


# ------------------------------------------------------------------------------------------ pieces


def find_experiment(client: Any, config: Config, label: str) -> str:
    """The experiment of the data's name, created if there is none."""
    experiment = client.get_experiment_by_name(label)
    if experiment:
        return str(experiment.experiment_id)
    uri = getattr(config.tracking, "uri", None)
    location = None if uri else (Path(config.paths.mlruns).resolve() / "artifacts" / label).as_uri()
    try:
        return str(client.create_experiment(label, artifact_location=location))
    except Exception:  # another sweep has just created it
        experiment = client.get_experiment_by_name(label)
        if experiment is None:
            raise
        return str(experiment.experiment_id)


def sweep_id(sweep: Sweep, history: History) -> str:
    """Tells apart sweeps of equal names on a shared server: by where and when they began."""
    first = history.invocations[0]
    return f"{sweep.name}@{hashlib.sha256(f'{first.host} {first.started}'.encode()).hexdigest()[:12]}"


def seed_of(trial: Trial) -> str:
    """Which of several seeds a run's is, in its name; nothing for the first of the search."""
    if trial.role == Role.SEARCH:
        return f" · s{trial.repeat + 1}" if trial.repeat else ""
    return " · refit" if trial.role == Role.REFIT else f" · confirm {trial.repeat + 1}"


def epoch_metrics(values: dict[str, float], ended: float, step: int) -> list[Any]:
    """As MLflow's points."""
    from mlflow.entities import Metric

    return [Metric(key, value, int(ended * 1000), step) for key, value in values.items()]


def dataset_inputs(data: Dataset) -> list[Any]:
    """The three parts of the data, with the project's own digest."""
    from mlflow.entities import Dataset as MlflowDataset
    from mlflow.entities import DatasetInput, InputTag

    inputs = []
    for context, part in (("train", data.train), ("validation", data.validation), ("test", data.test)):
        profile = f'{{"num_rows": {len(part)}, "num_classes": {data.num_classes}}}'
        entity = MlflowDataset(f"{data.label} {context}", data.digest[:32], "local", "{}", profile=profile)
        inputs.append(DatasetInput(entity, [InputTag("mlflow.data.context", context)]))
    return inputs
