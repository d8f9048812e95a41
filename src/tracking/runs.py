"""A sweep's runs in MLflow: found by their tags or created, and described once."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.config.identity import flatten
from src.config.schema import Config, Mlflow
from src.data.dataset import Dataset
from src.data.likeness import facts_of
from src.ledger.history import History
from src.ledger.records import Role, Trial
from src.ledger.sweep_folder import Sweep

NOTE = "mlflow.note.content"  # the tag that MLflow shows as text above a run or an experiment
SOURCE = "python -m src.sweep"


@dataclass(frozen=True)
class TrackedSweep:
    """A sweep with its data, and the experiment in MLflow where it is shown."""

    client: Any
    config: Config
    sweep: Sweep
    data: Dataset
    experiment: str

    @property
    def options(self) -> Mlflow:
        """What to log."""
        assert isinstance(self.config.tracking, Mlflow)
        return self.config.tracking

    @property
    def facts(self) -> dict[str, Any]:
        """What a model of this sweep must take along to be used."""
        return facts_of(self.data)


@dataclass
class TrialRun:
    """A trial's run, and how much of the trial it shows."""

    run_id: str
    revision: str = ""  # of the trial, once all of it is there
    is_described: bool = False  # it has its params and data set
    epochs: int = 0  # pushed by this process


# ----------------------------------------------------------------------------------------- finding


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


def search_runs(client: Any, experiment: str, identifier: str, with_deleted: bool = False) -> Iterator[Any]:
    """All runs with a sweep's tag, those marked as deleted among them if asked for."""
    from mlflow.entities import ViewType

    view = ViewType.ALL if with_deleted else ViewType.ACTIVE_ONLY
    page, query = None, f"tags.`sweep.id` = '{identifier}'"
    while page != "":
        found = client.search_runs([experiment], query, view, max_results=1000, page_token=page)
        yield from found
        page = found.token or ""


def find_runs(tracked: TrackedSweep, history: History) -> tuple[str, dict[int, TrialRun]]:
    """The sweep's own run, empty if there is none, and those of its trials by number."""
    parent, runs = "", {}
    for run in search_runs(tracked.client, tracked.experiment, sweep_id(tracked.sweep, history)):
        tags = run.data.tags
        if "trial" not in tags:
            parent = run.info.run_id
            continue
        is_described = "parameters" in run.data.params
        runs[int(tags["trial"])] = TrialRun(run.info.run_id, tags.get("revision", ""), is_described)
    return parent, runs


# ---------------------------------------------------------------------------------------- creating


def create_sweep_run(tracked: TrackedSweep, history: History) -> str:
    """The sweep's own run, under which MLflow shows those of its trials."""
    sweep = tracked.sweep
    tags = {"sweep": sweep.name, "sweep.id": sweep_id(sweep, history), "mlflow.source.name": SOURCE}
    tags["objective"] = history.objective.name
    began = int(history.invocations[0].started * 1000)
    run = tracked.client.create_run(tracked.experiment, start_time=began, tags=tags, run_name=sweep.name)
    return str(run.info.run_id)


def create_trial_run(tracked: TrackedSweep, parent: str, history: History, trial: Trial) -> TrialRun:
    """A trial's run, with the tags it is found by."""
    first = next((epoch.ended - epoch.seconds for epoch in trial.epochs), time.time())
    run = tracked.client.create_run(
        tracked.experiment,
        start_time=int(first * 1000),
        tags={"mlflow.parentRunId": parent, **trial_tags(tracked.sweep, history, trial)},
        run_name=run_name(tracked.sweep, history, trial),
    )
    return TrialRun(str(run.info.run_id))


def trial_tags(sweep: Sweep, history: History, trial: Trial) -> dict[str, str]:
    """What a trial's run is found and filtered by; its values stand among them by their keys."""
    latest = history.invocations[-1]
    return {
        "mlflow.source.name": SOURCE,
        "mlflow.source.git.commit": latest.environment.get("git", ""),
        "sweep": sweep.name,
        "sweep.id": sweep_id(sweep, history),
        "trial": str(trial.number),
        "point": str(trial.point),
        "repeat": str(trial.repeat),
        "role": str(trial.role),
        "host": latest.host,
        **{f"version.{name}": version for name, version in latest.environment.items() if name != "git"},
        **{key: str(value) for key, value in history.point(trial.point).values.items()},
    }


def run_name(sweep: Sweep, history: History, trial: Trial) -> str:
    """A trial's number, its point in a few words, and its seed; the sweep's name where there is but one point."""
    point = history.point(trial.point)
    return f"{trial.number:03d} {point.title if point.values else sweep.name}{seed_of(trial)}"


def seed_of(trial: Trial) -> str:
    """Which of several seeds a run's is, in its name; nothing for the first of the search."""
    if trial.role == Role.SEARCH:
        return f" · s{trial.repeat + 1}" if trial.repeat else ""
    return " · refit" if trial.role == Role.REFIT else f" · confirm {trial.repeat + 1}"


# -------------------------------------------------------------------------------------- describing


def describe_run(tracked: TrackedSweep, run: TrialRun, history: History, trial: Trial) -> None:
    """Log a trial's data set and params; `parameters` comes last and says that they are all there."""
    from mlflow.entities import Param

    values = trial_params(tracked.sweep, history, trial)
    params = [Param(key, str(value)) for key, value in values.items()]
    size = Param("parameters", str(history.point(trial.point).parameters))
    tracked.client.log_inputs(run.run_id, datasets=dataset_inputs(tracked.data))
    tracked.client.log_batch(run.run_id, params=[*params, size])
    run.is_described = True


def trial_params(sweep: Sweep, history: History, trial: Trial) -> dict[str, Any]:
    """A trial's configuration, data, seed and search by dotted keys; a group's choice by its name too."""
    point = history.point(trial.point)
    assert point.configuration
    search = {key: value for key, value in sweep.frozen["search"].items() if key != "space"}
    identity = {**point.configuration.identity(), "data": sweep.frozen["data"], "seed": trial.seed, "search": search}
    return {**point.values, **flatten(identity)}


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


# ----------------------------------------------------------------------------------------- metrics


def make_metrics(values: dict[str, float], ended: float, step: int) -> list[Any]:
    """As MLflow's points, at a time in seconds since 1970."""
    from mlflow.entities import Metric

    return [Metric(key, value, int(ended * 1000), step) for key, value in values.items()]


def log_metrics(client: Any, run: str, metrics: list[Any]) -> None:
    """Log any number of points; MLflow takes 1,000 at a time."""
    for start in range(0, len(metrics), 1000):
        client.log_batch(run, metrics=metrics[start : start + 1000])
