"""What a schedule asks of a history, kept while records change: totals, points by state, trials by what they may ask for.

It is built anew from the records when a sweep is opened, and then fed with those that change, at O(log n) each.
"""

from itertools import chain
from statistics import fmean

from sortedcontainers import SortedKeyList, SortedList, SortedSet

from src.analysis.ranking import Ranking
from src.base.hashing import fingerprint
from src.ledger.history import History
from src.ledger.records import Invocation, Point, PointState, Record, Role, Trial, TrialState
from src.search.budget import Budget, Claim, claim_of, has_ended
from src.search.problem import SearchProblem
from src.search.pruners import WAITING, Costs
from src.search.rungs import Rungs

Turn = tuple[int, int, int]  # rung, multiply-adds less than none, number


class PointIndex:
    """Points by state, and by what makes two of them equal."""

    def __init__(self) -> None:
        self.states: dict[int, PointState] = {}
        self.numbers: dict[PointState, SortedList[int]] = {state: SortedList() for state in PointState}
        self.seen: set[str] = set()  # keys of the points proposed
        self.first: dict[str, int] = {}  # fingerprint of a configuration → its first point

    def follow(self, point: Point) -> None:
        """Take up a point that is new or has changed."""
        if (before := self.states.get(point.number)) is not None:
            self.numbers[before].remove(point.number)
        else:
            self.seen.add(point.key)
            if point.configuration:
                self.first.setdefault(fingerprint(point.configuration.identity()), point.number)
        self.states[point.number] = point.state
        self.numbers[point.state].add(point.number)

    def __len__(self) -> int:
        return len(self.states)

    def count(self, *states: PointState) -> int:
        """How many points are in these states."""
        return sum(len(self.numbers[state]) for state in states)

    def rejected_since_feasible(self) -> int:
        """Points that cannot be trained, or need not be, since the last one that can."""
        last = self.numbers[PointState.FEASIBLE][-1] if self.numbers[PointState.FEASIBLE] else 0
        rejected = (self.numbers[PointState.INFEASIBLE], self.numbers[PointState.DUPLICATE])
        return sum(len(numbers) - numbers.bisect_right(last) for numbers in rejected)


class TrialIndex:
    """Trials by what they may ask for, and what they add up to."""

    def __init__(self, problem: SearchProblem, history: History) -> None:
        self.problem, self.history = problem, history
        self.points = PointIndex()
        self.ranking = Ranking(history)
        self.missing: SortedSet[tuple[int, int]] = SortedSet()  # repeat and point, of trials of the search to come
        self.known: set[tuple[int, Role, int]] = set()  # point, role and repeat of the trials there are
        self.epochs: dict[int, int] = {}  # by trial
        self.total_epochs = 0
        self.until = problem.config.training.epochs  # as asked for, or as many as a trial has had: all stay comparable
        self.reached: set[int] = set()  # trials as good as the target
        self.holding: set[int] = set()  # finished trials that have their weights
        self.refits: list[int] = []
        self.exhausted = False  # whether the sampler has no further point
        for point in history.points:
            self.points.follow(point)
            self.note_missing(point)
        self.until = max([self.until, *(len(trial.epochs) for trial in history.trials)])
        self.last_point = self.find_last_point()
        self.images = validation_images(history)
        self.classify_all()
        history.followers.append(self.follow)

    # ------------------------------------------------------------------------------ following

    def follow(self, record: Record) -> None:
        """Take up a record that has changed."""
        if isinstance(record, Point):
            self.points.follow(record)
            self.note_missing(record)
            if (last := self.find_last_point()) != self.last_point:
                self.last_point = last
                self.classify_all()
        elif isinstance(record, Trial):
            if len(record.epochs) > self.until:
                self.until = len(record.epochs)
                self.classify_all()
            self.take(record)
        elif isinstance(record, Invocation) and (images := validation_images(self.history)) != self.images:
            self.images = images
            self.classify_all()

    def note_missing(self, point: Point) -> None:
        """Which trials of a point are to come."""
        for repeat in range(self.problem.config.search.repeats):
            is_missing = point.state == PointState.FEASIBLE and (point.number, Role.SEARCH, repeat) not in self.known
            (self.missing.add if is_missing else self.missing.discard)((repeat, point.number))

    def find_last_point(self) -> float:
        """The number of the last point to train: as many as asked for, of those that can be."""
        limit, feasible = self.problem.config.search.max_trials, self.points.numbers[PointState.FEASIBLE]
        return float("inf") if limit is None or limit >= len(feasible) else feasible[limit - 1]

    def classify_all(self) -> None:
        """Begin anew with all trials, where what is asked for has changed for many."""
        self.claims: dict[int, Claim] = {}
        self.turns: dict[int, Turn] = {}
        self.numbers: dict[tuple[Role, Claim], SortedKeyList[int, Turn]] = {
            (role, claim): SortedKeyList(key=self.turns.__getitem__) for role in Role for claim in Claim
        }
        self.running: set[int] = set()
        self.prunable: SortedSet[int] = SortedSet()
        search, history = self.problem.config.search, self.history
        costs = Costs(self.images, lambda trial: history.point(trial.point).operations)
        self.rungs = Rungs(search, self.until, lambda trial: has_ended(history, trial, search.retries), costs)
        self.rungs.begin([trial for trial in self.history.trials if self.is_searched(trial)])
        for trial in self.history.trials:
            self.take(trial)

    def is_searched(self, trial: Trial) -> bool:
        """Whether a trial is one of the search that is asked for."""
        return trial.role == Role.SEARCH and self.budget().asks_for(trial)

    def take(self, trial: Trial) -> None:
        """Bring everything to where a trial is."""
        self.known.add((trial.point, trial.role, trial.repeat))
        if trial.role == Role.SEARCH:
            self.missing.discard((trial.repeat, trial.point))
        if trial.role == Role.REFIT and trial.number not in self.refits:
            self.refits.append(trial.number)
        self.total_epochs += len(trial.epochs) - self.epochs.get(trial.number, 0)
        self.epochs[trial.number] = len(trial.epochs)
        put(self.reached, trial.number, self.reaches(trial))
        put(self.holding, trial.number, trial.state.is_finished and trial.weights is not None)
        put(self.running, trial.number, trial.state == TrialState.RUNNING)
        if self.is_searched(trial):
            self.rungs.update(trial)
            for number in self.rungs.changed - {trial.number}:
                self.classify(self.history.trial(number))
            self.rungs.changed.clear()
        self.classify(trial)

    def reaches(self, trial: Trial) -> bool:
        """Whether a trial is as good as the target."""
        target = self.problem.config.search.target
        if target is None or trial.objective is None or not trial.state.is_finished:
            return False
        return self.history.objective.is_reached(trial.objective, target)

    def classify(self, trial: Trial) -> None:
        """Sort a trial in by what it may ask for."""
        if (before := self.claims.get(trial.number)) is not None:
            self.numbers[trial.role, before].remove(trial.number)
        self.claims[trial.number] = claim = self.claim(trial, self.budget())
        self.turns[trial.number] = self.turn(trial)
        self.numbers[trial.role, claim].add(trial.number)
        limit = self.rungs.limits.get(trial.number)
        put(self.prunable, trial.number, trial.state == TrialState.PAUSED and bool(limit and limit.reason))

    # -------------------------------------------------------------------------------- answers

    def budget(self) -> Budget:
        """How far this invocation reaches by now."""
        search = self.problem.config.search
        seeds = {
            Role.SEARCH: search.repeats,
            Role.CONFIRM: search.confirm_repeats if search.confirm else 0,
            Role.REFIT: int(search.refit),
        }
        has_time = search.max_seconds is None or self.history.seconds() < search.max_seconds
        has_epochs = search.max_epochs is None or self.total_epochs < search.max_epochs
        return Budget(self.until, self.last_point, seeds, has_time and has_epochs, bool(self.reached), search.retries)

    def claim(self, trial: Trial, budget: Budget) -> Claim:
        """What a trial may ask for. (Whether a refit is of the best point is asked apart: see `is_of_best`.)"""
        return claim_of(self.history, trial, budget, self.epochs_of(trial))

    def epochs_of(self, trial: Trial) -> int:
        """How many epochs a trial is to have: as many as its pruner allows; a refit as many as were best, on average."""
        if trial.role != Role.REFIT:  # never fewer than it has had: a pruner may come later than the epochs
            limit = self.rungs.limits.get(trial.number)
            return max(limit.epochs, len(trial.epochs)) if limit else self.until
        for role in (Role.CONFIRM, Role.SEARCH):
            if (role, trial.point) in self.ranking.keys:
                own = self.ranking.result(role, trial.point).trials
                return max(round(fmean(other.best_epoch for other in own)), len(trial.epochs))
        return self.until  # while its trials are given more epochs

    def turn(self, trial: Trial) -> Turn:
        """What is lowest of the trial that is trained first: by number; where all wait for the last at a rung, those of
        the lowest rung, the longest first. (Not where a budget may end the search: it would have the fewest trials.)"""
        search, limit = self.problem.config.search, self.rungs.limits.get(trial.number)
        is_limited = (search.max_epochs, search.max_seconds, search.target) != (None, None, None)
        if search.pruner not in WAITING or is_limited or limit is None:
            return 0, 0, trial.number
        left = max(limit.epochs - len(trial.epochs), 0)
        return limit.epochs, -left * self.history.point(trial.point).operations, trial.number

    def wants_training(self, trial: Trial, budget: Budget) -> bool:
        """Whether a trial that no worker has should be given to one."""
        if trial.role == Role.REFIT and not self.is_of_best(trial, budget):
            return False
        claim = self.claim(trial, budget)
        return claim == Claim.TRAINING or (claim == Claim.BUDGET and budget.allows(trial.role))

    def is_of_best(self, refit: Trial, budget: Budget) -> bool:
        """Whether a refit is of the best point, once that is known."""
        first = self.ranking.best_trial()
        is_known = self.is_over(Role.SEARCH, budget) and self.is_over(Role.CONFIRM, budget)
        return is_known and first is not None and first.point == refit.point

    def is_over(self, role: Role, budget: Budget) -> bool:
        """Whether no trial of a role is being trained or will be, were there time for all."""
        may_begin = self.numbers[role, Claim.BUDGET] and not (budget.is_reached and role == Role.SEARCH)
        return not self.numbers[role, Claim.TRAINING] and not may_begin

    def queues(self, budget: Budget) -> list["SortedKeyList[int, Turn]"]:
        """Trials of search and confirmation that want training, in order; those that workers have among them."""
        claims = [(role, claim) for role in (Role.SEARCH, Role.CONFIRM) for claim in (Claim.TRAINING, Claim.BUDGET)]
        return [self.numbers[role, claim] for role, claim in claims if claim == Claim.TRAINING or budget.allows(role)]

    def wanting_refits(self, budget: Budget) -> list[int]:
        """Refits that want training; also one that is being trained, though its point is not the best any more."""
        refits = map(self.history.trial, self.refits)
        return [t.number for t in refits if t.state == TrialState.RUNNING or self.wants_training(t, budget)]

    def next_wanting(self, budget: Budget, under_way: set[int]) -> Trial | None:
        """The trial whose turn it is, of those that want training and are not under way."""
        refits = [n for n in self.refits if self.wants_training(self.history.trial(n), budget)]
        free = [next((n for n in queue if n not in under_way), None) for queue in (*self.queues(budget), refits)]
        numbers = [number for number in free if number is not None]
        return self.history.trial(min(numbers, key=self.turns.__getitem__)) if numbers else None

    def unfinished(self, budget: Budget) -> list[int]:
        """Trials that are being trained or will be, in order."""
        return sorted(chain(*self.queues(budget), self.wanting_refits(budget)))

    def count_unfinished(self, budget: Budget) -> int:
        """How many these are."""
        return sum(map(len, self.queues(budget))) + len(self.wanting_refits(budget))


def validation_images(history: History) -> int:
    """How many there are; 0 where the last invocation did not need to know, and wrote nothing down."""
    noted = history.invocations[-1].budget.get("validation_images", 0) if history.invocations else 0
    return int(noted)


def put(numbers: "set[int] | SortedSet[int]", number: int, belongs: bool) -> None:
    """Have a number in a set, or not."""
    (numbers.add if belongs else numbers.discard)(number)
