"""Take a sweep out of MLflow: its runs with their models and files, for good where the database is at hand."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.base.errors import UserError, first_line
from src.config.schema import Config, Mlflow
from src.data.load import name_of
from src.ledger.history import History
from src.ledger.sweep_folder import Sweep
from src.tracking.runs import NOTE, search_runs, sweep_id
from src.tracking.store import database, set_environment, set_up_mlflow


@dataclass(frozen=True)
class Traces:
    """What MLflow has of a sweep: its runs, the sweep's own last, deleted ones that can still be restored included."""

    place: str  # where they are, or would be
    client: Any = None
    store: Any = None  # MLflow's own, which alone can delete for good
    runs: tuple[Any, ...] = ()

    @property
    def are_remote(self) -> bool:
        """Whether only their server can delete them for good."""
        return bool(self.runs) and not hasattr(self.store, "_hard_delete_run")


def find_traces(config: Config, sweep: Sweep, history: History) -> Traces:
    """The runs of a sweep, by their tag. Raises UserError where MLflow does not answer."""
    if not isinstance(config.tracking, Mlflow):
        return Traces("tracking=none")
    mlruns = Path(config.paths.mlruns)
    place = config.tracking.uri or f"{mlruns}/mlflow.db"
    if not history.invocations or not (config.tracking.uri or database(mlruns).is_file()):
        return Traces(place)
    set_environment()
    with mlflow_answers(place):
        from mlflow.tracking._tracking_service.utils import _get_store

        client = set_up_mlflow(config)
        experiment = client.get_experiment_by_name(name_of(config.data))
        identifier = sweep_id(sweep, history)
        found = search_runs(client, experiment.experiment_id, identifier, with_deleted=True) if experiment else ()
        runs = sorted(found, key=lambda run: "trial" not in run.data.tags)
        return Traces(place, client, _get_store(), tuple(runs))


def delete_traces(traces: Traces) -> None:
    """Delete runs with their models and files, for good where the database is at hand. Raises UserError.

    A run goes after all that belongs to it, so what is left of an attempt cut short is found again.
    """
    with mlflow_answers(traces.place):
        for run in traces.runs:
            take_from_note(traces.client, run)
            for model in models_of(traces.client, run):
                delete_trace_of_model(traces, model)
            if not traces.are_remote:
                remove_files(run.info.artifact_uri)
                traces.store._hard_delete_run(run.info.run_id)
            elif run.info.lifecycle_stage == "active":
                traces.client.delete_run(run.info.run_id)


def take_from_note(client: Any, run: Any) -> None:
    """An experiment's note no longer has a line that links to the run."""
    note = client.get_experiment(run.info.experiment_id).tags.get(NOTE, "")
    kept = "\n".join(line for line in note.split("\n") if run.info.run_id not in line)
    if kept != note:
        client.set_experiment_tag(run.info.experiment_id, NOTE, kept)


def models_of(client: Any, run: Any) -> set[str]:
    """The models that a run logged, those deleted since included."""
    outputs = run.outputs.model_outputs if run.outputs else []
    query = f"source_run_id = '{run.info.run_id}'"
    found = client.search_logged_models([run.info.experiment_id], query)  # also what was cut short
    return {output.model_id for output in outputs} | {model.model_id for model in found}


def delete_trace_of_model(traces: Traces, model: str) -> None:
    """Delete a model, for good where the database is at hand; one that is gone already stays so."""
    from mlflow.exceptions import MlflowException

    try:
        if traces.are_remote:
            traces.client.delete_logged_model(model)
            return
        location = traces.store.get_logged_model(model, allow_deleted=True).artifact_location
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return
    remove_files(location)
    traces.store._hard_delete_logged_model(model)


def remove_files(location: str) -> None:
    """Delete the artifacts at a location, and the folder that held nothing else."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.utils.file_utils import local_file_uri_to_path

    get_artifact_repository(location).delete_artifacts()
    if location.startswith("file:"):
        with suppress(OSError):
            Path(local_file_uri_to_path(location)).parent.rmdir()


@contextmanager
def mlflow_answers(place: str) -> Iterator[None]:
    """Whatever MLflow and its stores raise is a UserError here."""
    try:
        yield
    except Exception as error:
        reason = textwrap.shorten(f"{type(error).__name__}: {first_line(error)}", 200, placeholder=" …")
        raise UserError(
            f"MLflow at {place} cannot be used ({reason}), so the sweep stays: repeat the command when it answers."
        ) from error
