"""What a session refuses, what it takes up after a kill, and which checkpoints it keeps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from src.base.errors import UserError
from src.execution import session as module
from src.execution.session import open_session
from src.execution.simulator import Answer
from src.ledger import environment
from src.ledger.events import Checked, EpochEnded, Event, Failed, Finished, Tracked
from src.ledger.files import write_arrays
from src.ledger.jobs import CheckJob, Job, TrainJob
from src.ledger.notices import Planned
from src.ledger.records import Cause, PointState, Role, TrialState
from tests.unit.execution.answers import answer
from tests.unit.execution.sessions import Heard, Home, Witness


class Killed(BaseException):
    """Stands for a signal that cannot be caught."""


def kill_at(kind: type, count: int = 1) -> Witness:
    """An observer by which everything ends at the so manieth event of a kind."""
    left = [count]

    def react(event: Heard) -> None:
        left[0] -= isinstance(event, kind)
        if isinstance(event, kind) and not left[0]:
            raise Killed

    return Witness(reacts=react)


def failing(kind: str, cause: Cause = Cause.CRASH) -> Answer:
    """As `answer`, but jobs of a kind fail."""

    def fail(job: Job) -> Iterator[Event]:
        return iter([Failed(job, cause, "an error")]) if job.kind == kind else answer(job)

    return fail


def holding(home: Home) -> list[int]:
    """The trials that have a checkpoint and weights."""
    return [t.number for t in home.history().trials if t.weights and t.checkpoint]


# ------------------------------------------------------------------------------------------- refusals


def test_other_versions_are_refused(home: Home) -> None:
    """Under other versions a complete sweep shows its results; training on is refused with what has changed, and nothing
    is written; allowed, the trials are marked."""
    home.run()
    home.patch.setattr(environment, "describe", lambda: {"keras": "2", "git": "def"})
    home.run()
    before = home.history()
    for more in ("training.epochs=3", "search.retry_failed=true"):
        with pytest.raises(UserError, match=r"keras 1 → 2 has changed.*resume.allow_drift=true"):
            home.run(overrides=(more,))
    assert home.history() == before
    home.run(overrides=("training.epochs=3", "resume.allow_drift=true"))
    assert {trial.drift for trial in home.history().trials} == {"keras 1 → 2"}


def test_versions_do_not_matter_before_training(home: Home) -> None:
    """A sweep that has trained nothing goes on in any versions."""
    home.run(home.interrupt_at(lambda event: isinstance(event, Checked)))
    home.patch.setattr(environment, "describe", lambda: {"keras": "2", "git": "def"})
    home.again()
    assert {(trial.state, trial.drift) for trial in home.history().trials} == {(TrialState.FINISHED, "")}


def test_a_space_without_a_point_that_can_be_trained(home: Home) -> None:
    """It is refused with every reason and the points that it holds for, each time; one point that can be trained is
    enough."""
    home.answer = lambda job: iter([Checked(job.subject, "too small")])
    overrides = ("search.constraints=['architecture.kernel > 3']",)
    for _ in range(2):
        witness = Witness()
        with pytest.raises(UserError) as error:
            home.run(witness, overrides=overrides)
        said = str(error.value)
        assert said.startswith("none of the 4 points can be trained:")
        assert "constraint: architecture.kernel > 3 (points 1–2)" in said and "too small (points 3–4)" in said
        assert witness.finished == [] and "Planned" not in witness.notices()
        assert not list((home.root / "sweeps").iterdir()), "its command could only fail again"
    home.answer = lambda job: iter([Checked(3, "too small")]) if job.subject == 3 and is_check(job) else answer(job)
    home.run(overrides=("search.seed=1",))


def is_check(job: Job) -> bool:
    """Whether a job is a point's check."""
    return isinstance(job, CheckJob)


def test_a_full_disk(home: Home) -> None:
    """Where checkpoints would not fit, that is said after the plan; nothing has begun, and with room made it does."""
    witness = Witness()
    home.patch.setattr(module, "free_bytes", lambda path: 100)
    with pytest.raises(UserError, match=r"the sweep needs about .* of disk and .* has 1 MB free: make room"):
        home.run(witness)
    assert witness.heard[-1] == Planned(2) and witness.finished == []
    assert not any(trial.attempts for trial in home.history().trials)
    home.patch.setattr(module, "free_bytes", lambda path: 1e9)
    home.run()
    assert {trial.state for trial in home.history().trials} == {TrialState.FINISHED}


def test_a_worker_without_disk(home: Home) -> None:
    """An error that ends a sweep ends its backend, and leaves the sweep free for the next session."""
    home.answer = failing(TrainJob.kind, Cause.DISK)
    with pytest.raises(UserError, match="an error"):
        home.run()
    assert not any(slot.job for slot in home.backends[0].slots())
    home.answer = answer
    home.run()
    assert {trial.state for trial in home.history().trials} == {TrialState.FINISHED}


def test_one_session_a_sweep(home: Home) -> None:
    """A sweep that is open is refused to a second session, and is free once the first has ended."""
    with open_session(home.config(), ""), pytest.raises(UserError, match="in use by process"):
        home.run()
    home.run()


# -------------------------------------------------------------------------------------- after a kill


@pytest.mark.parametrize(
    ("kind", "count"), [(Checked, 2), (Planned, 1), (EpochEnded, 1), (EpochEnded, 4), (Finished, 3)]
)
def test_killed_and_taken_up(home: Home, tmp_path: Path, kind: type, count: int) -> None:
    """Whatever it was killed at, a sweep goes on to the epochs of one that nobody killed; what ran had been put down."""
    with pytest.raises(Killed):
        home.run(kill_at(kind, count))
    running = [trial.number for trial in home.history().trials if trial.state == TrialState.RUNNING]
    assert len(running) == (2 if kind is EpochEnded else 1 if kind is Finished else 0)
    witness = Witness()
    home.run(witness)
    history = home.history()
    assert [(t.state, [e.number for e in t.epochs]) for t in history.trials] == [(TrialState.FINISHED, [1, 2])] * 4
    assert [trial.number for trial in history.trials if trial.attempts == 2] == running
    assert len(history.evaluations) == 1 and not history.failures


def test_files_that_no_record_names_are_deleted(home: Home) -> None:
    """What a worker had half written when everything was killed goes when the sweep is taken up, and after training."""
    home.run(home.interrupt_at(lambda event: isinstance(event, EpochEnded)))
    half = home.folder() / "checkpoints" / "half.npz"
    write_arrays(home.folder(), "checkpoints/half.npz", {})
    witness = Witness(reacts=lambda event: seen.append(half.exists()))
    seen: list[bool] = []
    home.again(witness)
    assert seen == [True, *[False] * (len(seen) - 1)], "it was there when the sweep was opened"
    write_arrays(home.folder(), "checkpoints/half.npz", {})
    home.again(overrides=("training.epochs=3",))
    assert not half.exists()


def test_what_failed_is_tried_again_if_asked(home: Home) -> None:
    """Failed trials, and points whose check died, stay so; search.retry_failed=true has both tried once more, and points
    that cannot be built stay left out."""

    def fail(job: Job) -> Iterator[Event]:
        if isinstance(job, CheckJob) and job.point == 1:
            return iter([Checked(1, "too small")])
        is_bad = (job.kind, job.subject) in ((CheckJob.kind, 2), (TrainJob.kind, 1))
        return iter([Failed(job, Cause.CRASH, "an error")]) if is_bad else answer(job)

    home.answer = fail
    home.run(overrides=("search.retries=0",))
    home.answer = answer
    home.run(overrides=("search.retries=0",))
    history = home.history()
    assert [point.state for point in history.points[:2]] == [PointState.INFEASIBLE] * 2
    assert (history.trials[0].state, history.trials[0].attempts) == (TrialState.FAILED, 1)
    home.run(overrides=("search.retries=0", "search.retry_failed=true"))
    history = home.history()
    assert [point.state for point in history.points[:2]] == [PointState.INFEASIBLE, PointState.FEASIBLE]
    assert [(trial.point, trial.state) for trial in history.trials] == [(n, TrialState.FINISHED) for n in (3, 4, 2)]
    assert history.trials[0].attempts == 2


# ---------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize(("keep", "held"), [("all", [1, 2, 3, 4]), ("3", [2, 3, 4]), ("1", [4]), ("0", [4])])
def test_checkpoints_kept(home: Home, keep: str, held: list[int]) -> None:
    """The best so many trials keep checkpoint and weights, the best always; all of them have their epochs."""
    home.run(overrides=(f"checkpoints.keep={keep}",))
    assert holding(home) == held
    assert [len(trial.epochs) for trial in home.history().trials] == [2] * 4
    assert [one.trial for one in home.history().evaluations] == [4]


def test_checkpoints_go_as_others_become_better(home: Home) -> None:
    """As soon as a trial is beyond those kept it gives up its files; where it is gone on with, it trains anew."""
    keep = ("checkpoints.keep=2", "workers.count=1")
    home.slots = 1
    dropped: list[list[int]] = []
    witness = Witness(reacts=lambda event: dropped.append(holding(home)) if isinstance(event, Finished) else None)
    home.run(witness, overrides=keep)
    assert dropped == [[1], [1, 2], [1, 2, 3], [2, 3, 4]], "looked at just before the files go"
    home.run(overrides=(*keep, "training.epochs=3"))
    assert [(len(t.epochs), t.attempts) for t in home.history().trials] == [(3, 2)] * 4 and holding(home) == [3, 4]


def test_checkpoints_wait_for_mlflow(home: Home) -> None:
    """Where MLflow is used a trial keeps its files until they are there, also when that is known only at the end."""
    late = [Tracked(number, f"run {number}") for number in (1, 4)]
    first, second = Witness(ends=lambda: iter(late)), Witness()
    home.run(first, second, overrides=("tracking=mlflow", "checkpoints.keep=1"))
    assert holding(home) == [2, 3, 4]


def test_a_refit_is_never_dropped(home: Home) -> None:
    """The winner trained on all images is the result: it keeps its files, and is evaluated once."""
    home.run(overrides=("checkpoints.keep=1", "search.confirm=2", "search.confirm_repeats=1", "search.refit=true"))
    history = home.history()
    (refit,) = [trial for trial in history.trials if trial.role == Role.REFIT]
    assert [one.trial for one in history.evaluations] == [refit.number] and refit.attempts == 1
    assert holding(home) == [history.trials[-2].number, refit.number]
