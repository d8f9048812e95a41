"""A sweep that numbers play: workers that end or fail, users who come again with another budget."""

from dataclasses import dataclass, field, replace
from random import Random

from src.ledger.events import Checked, Dropped, EpochEnded, Event, Failed, Finished, Paused, Reused, Started, Stopped
from src.ledger.history import History
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.records import Cause, Epoch, Evaluation, Invocation, Origin, Point, PointState, Probe, Trial, TrialState
from src.search.problem import SearchProblem
from src.search.proposals import next_point
from src.search.schedule import Schedule, new_trials, newly_pruned, next_job
from tests.unit.examples import file

PRUNERS = ("none", "top_k", "halving", "hyperband", "asha", "median")
CAUSES = (Cause.CRASH, Cause.CRASH, Cause.NAN, Cause.DAMAGED, Cause.DISK)


def draw_budget(problem: SearchProblem, random: Random) -> SearchProblem:
    """The same sweep with another budget."""
    pruner, epochs = random.choice(PRUNERS), random.choice([1, 2, 3, 4, 6, 9])
    rung = random.choice([1, 1, 2])
    if rung >= max(epochs, 2):
        pruner = "none"  # as the configuration asks for
    is_grid = problem.config.search.strategy == "grid"
    search = {
        "pruner": pruner,
        "rung": rung,
        "keep": random.choice([1, 2, 3]),
        "factor": random.choice([2, 3]),
        "prefer": random.choice(["best", "cheaper"]) if problem.objective.name == "val_accuracy" else "best",
        "max_trials": random.choice([None, None, 1, 2, 4, 7] if is_grid else [1, 3, 5, 8]),
        "max_epochs": random.choice([None, None, None, 4, 12]),
        "max_seconds": random.choice([None, None, None, 30.0, 90.0]),
        "repeats": random.choice([1, 1, 2, 3]) if pruner == "none" else 1,
        "confirm": random.choice([0, 0, 1, 2]),
        "confirm_repeats": random.choice([1, 2]),
        "refit": random.choice([False, True]),
        "retries": random.choice([0, 1, 2]),
        "target": random.choice([None, None, None, 0.3, 0.5]),
    }
    config = problem.config
    training = config.training.model_copy(update={"epochs": epochs})
    changed = {"search": config.search.model_copy(update=search), "training": training}
    return replace(problem, config=config.model_copy(update=changed))


@dataclass
class World:
    """A sweep on its way. `heard` is every event."""

    schedule: Schedule
    workers: int
    now: float = 0.0
    session: int = 0
    drift: int = 0  # other versions give other results
    busy: list[Job] = field(default_factory=list)
    done: dict[int, int] = field(default_factory=dict)  # epochs by trial, in the worker that has it

    @property
    def history(self) -> History:
        """All records."""
        return self.schedule.history

    def hear(self, event: Event | Point | Trial | Invocation) -> None:
        """Write down an event, a second later."""
        self.now += 1
        self.history.apply(event, self.now)

    # ---------------------------------------------------------------------------------- the coordinator

    def propose(self) -> None:
        """As the coordinator does."""
        for event in newly_pruned(self.schedule):
            self.hear(event)
        for trial in new_trials(self.schedule):
            self.hear(trial)
        while point := next_point(self.schedule):
            self.hear(point)

    def give(self, pick: int) -> bool:
        """A job for a worker that is free, or what another sweep has of it; whether there was one."""
        self.propose()
        job = next_job(self.schedule, self.busy) if len(self.busy) < self.workers else None
        if isinstance(job, TrainJob):
            if pick % 8 == 7:
                self.hear(self.reuse(job, pick // 8))
                return True
            self.hear(Started(job.trial, job.attempt))
            self.done[job.trial] = len(job.epochs)
        if job:
            self.busy.append(job)
        return job is not None

    def reuse(self, job: TrainJob, pick: int) -> Reused:
        """An equal trial's result, or some of its epochs."""
        count = pick % job.until + 1
        epochs = tuple(self.epoch(job, number) for number in range(1, count + 1))
        about = (job.trial, job.attempt, Origin("other", 1), epochs)
        if count == job.until and job.pauses:
            return Reused(*about, TrialState.PAUSED, checkpoint=file("reused"))
        if count == job.until or pick // job.until % 3 == 0:
            return Reused(*about, TrialState.FINISHED, count < job.until, weights=file("best"))
        return Reused(*about, TrialState.INTERRUPTED, checkpoint=file("reused"))

    # -------------------------------------------------------------------------------------- the workers

    def epoch(self, job: TrainJob, number: int) -> Epoch:
        """An epoch's results; a refit has no images to validate on."""
        trial = self.history.trial(job.trial)
        level = (7 * trial.point + 3 * trial.repeat + 5 * number * number + self.drift) % 6
        metrics = {"loss": 1.0, "accuracy": 0.5, "learning_rate": 0.001}
        if not job.refit:
            metrics |= {"val_accuracy": level / 10, "val_loss": (level * level + trial.point) % 4 / 4}
        return Epoch(number, metrics, 1.0, self.now)

    def advance(self, pick: int) -> None:
        """A worker's next event, as one would wish it."""
        place = pick % len(self.busy)
        match self.busy[place]:
            case CheckJob(point=point):
                reason = "too small" if pick // 8 % 4 == 3 else ""
                self.end(place, Checked(point, reason, 100 + pick // 32 % 3, 1000 + pick // 32 % 5))
            case ProbeJob(point=point, operations=operations):
                self.end(place, Probe(point, operations, 1.0, 0.001))
            case EvaluateJob(trial=trial, epoch=epoch):
                self.end(place, Evaluation(trial, epoch, 1.0, 0.5, self.now))
            case TrainJob() as job if self.done[job.trial] < job.until:
                self.done[job.trial] += 1
                number = self.done[job.trial]
                saved = file(f"{job.trial}-{number}") if number == job.until or pick // 8 % 2 else None
                self.hear(EpochEnded(job.trial, self.epoch(job, number), saved))
            case TrainJob() as job:
                self.end(place, Paused(job.trial) if job.pauses else Finished(job.trial, file("best")))

    def disturb(self, pick: int) -> None:
        """A worker fails, puts its job down, or stops early."""
        place, pick = pick % len(self.busy), pick // len(self.busy)
        job = self.busy[place]
        if isinstance(job, TrainJob) and pick % 3 == 0:
            self.end(place, Stopped(job.trial))
        elif isinstance(job, TrainJob) and pick % 3 == 1 and self.done[job.trial]:
            self.end(place, Finished(job.trial, file("best"), stopped_early=True, reason="early"))
        else:
            cause = CAUSES[pick // 3 % len(CAUSES)] if isinstance(job, TrainJob | EvaluateJob) else Cause.CRASH
            self.end(place, Failed(job, cause, "its end"))

    def end(self, place: int, event: Event) -> None:
        """A worker's last event of a job."""
        del self.busy[place]
        self.hear(event)

    # ----------------------------------------------------------------------------------------- the user

    def come_again(self, pick: int) -> None:
        """Everything is killed, and started again with another budget."""
        random = Random(pick)
        self.busy.clear()
        self.now += random.choice([1, 100])
        self.session += 1
        self.drift += random.random() < 0.2
        problem = draw_budget(self.schedule.problem, random) if random.random() < 0.8 else self.schedule.problem
        self.history.followers.clear()
        self.schedule = Schedule.of(problem, self.history)
        self.hear(
            Invocation(self.session, self.now, self.now, "here", 1, {"validation_images": random.choice([0, 10])}, {})
        )
        self.recover(random.random() < 0.3)

    def recover(self, retry_failed: bool) -> None:
        """As a session does."""
        for trial in self.history.trials:
            if trial.state == TrialState.RUNNING:
                self.hear(Stopped(trial.number))
            if trial.state == TrialState.FAILED and retry_failed:
                trial.state, trial.crashes = TrialState.WAITING, 0
                self.hear(trial)
        for point in self.history.points:
            was_tried = self.history.crashes[CheckJob.kind, point.number]
            if retry_failed and point.state == PointState.INFEASIBLE and was_tried:
                point.state, point.reason = PointState.UNCHECKED, ""
                self.hear(point)

    def drop(self, pick: int) -> None:
        """A finished trial gives up its files."""
        finished = [t.number for t in self.history.trials if t.state == TrialState.FINISHED and t.weights]
        if finished:
            self.hear(Dropped(finished[pick % len(finished)]))


def play(world: World, number: int) -> None:
    """What a number stands for; small ones that all goes well."""
    kind, pick = number % 32, number // 32
    if kind == 31:
        world.come_again(pick)
    elif kind == 30:
        world.drop(pick)
    elif kind > 25 and world.busy:
        world.disturb(pick)
    elif kind < 18 and world.busy:
        world.advance(pick)
    elif not world.give(pick) and not world.busy:
        world.come_again(pick)
