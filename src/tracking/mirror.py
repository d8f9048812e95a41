"""A sweep in MLflow: its runs, found by their tags or created, and brought to where the ledger is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from src.analysis.ranking import evaluation_of, final_trial, rank_trials
from src.config.schema import Config
from src.data.load import load_same
from src.ledger.database import LedgerReader
from src.ledger.events import Tracked
from src.ledger.history import History
from src.ledger.records import Evaluation, Trial, TrialState
from src.ledger.sweep_folder import Sweep
from src.tracking.runs import (
    TrackedSweep,
    TrialRun,
    create_sweep_run,
    create_trial_run,
    find_experiment,
    find_runs,
)
from src.tracking.sweep_run import close_sweep_run, show_evaluation, show_samples
from src.tracking.trial_run import UNDER_WAY, revision_of, show_trial


@dataclass
class MlflowMirror:
    """A sweep in MLflow, and how much of it is there."""

    tracked: TrackedSweep
    reader: LedgerReader
    parent: str = ""  # the sweep's own run
    runs: dict[int, TrialRun] = field(default_factory=dict)  # by the trial's number
    parent_revision: str = ""  # what the sweep's own run shows
    evaluations: int = 0  # shown by this process

    @classmethod
    def open(cls, client: Any, config: Config, sweep: Sweep) -> "MlflowMirror":
        """Find or create the experiment. Raises UserError where the sweep's data has changed."""
        import mlflow

        data = load_same(config.data, sweep.frozen["data"]["digest"])
        experiment = find_experiment(client, config, data.label)
        mlflow.set_experiment(experiment_id=experiment)  # models are logged to the current one
        reader = LedgerReader(sweep.path, sweep.objective)
        return cls(TrackedSweep(client, config, sweep, data, experiment), reader)

    def reconcile(self, finishing: bool, is_done: bool) -> Iterator[Tracked]:
        """Bring MLflow to where the ledger is. What fails for one trial is raised after the others had their turn."""
        history = self.reader.read()
        if not history.invocations:
            return
        if not self.parent:
            self.find_runs(history)
        kept = kept_trials(history, self.tracked.options.keep)
        errors: list[Exception] = []
        for trial in (trial for trial in history.trials if trial.attempts):
            state = TrialState.INTERRUPTED if finishing and trial.state == TrialState.RUNNING else trial.state
            revision, run = revision_of(trial, state, trial.number in kept), self.runs.get(trial.number)
            is_shown = run is not None and run.revision == revision
            try:
                if not is_shown:
                    self.show(history, trial, state, trial.number in kept)
            except Exception as error:
                errors.append(error)
                continue
            self.runs[trial.number].revision = revision
            if state not in UNDER_WAY and not (is_shown and trial.run_id):
                yield Tracked(trial.number, self.runs[trial.number].run_id)
        if errors:
            raise errors[0]
        self.show_sweep(history, finishing, is_done)

    def find_runs(self, history: History) -> None:
        """Find the sweep's runs that exist already; create its own if it does not."""
        parent, self.runs = find_runs(self.tracked, history)
        self.parent = parent or create_sweep_run(self.tracked, history)
        self.tracked.client.update_run(self.parent, status="RUNNING")
        show_samples(self.tracked, self.parent)

    def show(self, history: History, trial: Trial, state: TrialState, is_kept: bool) -> None:
        """Log what MLflow does not have yet of a trial, in a run that is created if there is none."""
        if trial.number not in self.runs:
            self.runs[trial.number] = create_trial_run(self.tracked, self.parent, history, trial)
        show_trial(self.tracked, self.runs[trial.number], history, trial, state, is_kept)

    def show_sweep(self, history: History, finishing: bool, is_done: bool) -> None:
        """Log what the sweep's own run does not have yet: the winner's metrics as they come; all else at the end."""
        best = final_trial(history)
        ranked = [trial.number for trial in rank_trials(history)]
        revision = f"{ranked} {best and (best.number, best.best_epoch)} {len(history.evaluations)} {finishing}"
        if revision == self.parent_revision:
            return
        self.show_evaluations(history, evaluation_of(history, best) if best else None)
        if finishing:
            close_sweep_run(self.tracked, self.parent, history, best, is_done)
        self.parent_revision = revision

    def show_evaluations(self, history: History, final: Evaluation | None) -> None:
        """Log new test results to their trials' runs, and the winner's to the sweep's own."""
        new = history.evaluations[self.evaluations :]
        for evaluation in new:
            runs = [self.runs[evaluation.trial].run_id, *([self.parent] if evaluation is final else [])]
            show_evaluation(self.tracked, runs, evaluation)
        if final and not any(evaluation is final for evaluation in new):
            show_evaluation(self.tracked, [self.parent], final)
        self.evaluations = len(history.evaluations)


def kept_trials(history: History, keep: int | str) -> set[int]:
    """The trials whose models and weights MLflow keeps: the best so many, or all that have finished."""
    best = list(dict.fromkeys(trial.number for trial in (final_trial(history), *rank_trials(history)) if trial))
    return set(best if isinstance(keep, str) else best[:keep])
