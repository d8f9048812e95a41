"""What is printed about a sweep before it trains and after: points, time, disk, leaderboard, conclusions."""

import os
from collections import Counter
from pathlib import Path

import psutil
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from src.analysis.baseline import judge_learning, judge_test
from src.analysis.conclusions import describe_taken, judge_search
from src.analysis.ranking import evaluation_of, final_trial, rank_points, rank_trials
from src.analysis.tables import left_out
from src.base.text import again, command, number_of, numbered, show_bytes
from src.config.schema import Mlflow, Search
from src.data.dataset import Dataset
from src.ledger.history import History
from src.ledger.jobs import EvaluateJob, TrainJob
from src.ledger.lock import describe_holder, is_held, read_holder
from src.ledger.records import Cause, PointState, TrialState
from src.reporting.boards import leaderboard, print_board
from src.search.estimate import bytes_needed, search_epochs
from src.search.samplers import GUIDED, STARTUP
from src.search.schedule import (
    MISSES,
    Schedule,
    failed_for_good,
    is_bounded,
    is_given_up,
    is_hopeless,
    left_by_budget,
    next_job,
    points_to_come,
    trials_held_back,
    trials_to_come,
    unfinished,
)

LEADERS = 10  # rows of the leaderboard after a sweep


def overview(console: Console, schedule: Schedule, workers: int, time: str) -> None:
    """How many points there are, which cannot be trained and why, and what the rest will cost; `time` in words."""
    print_points(console, schedule)
    trials, total = len(unfinished(schedule)) + trials_to_come(schedule), count_trials(schedule)
    count = number_of(trials, "trial") if trials == total else f"{trials} of {number_of(total, 'trial')} left,"
    checkpoints, mlflow = bytes_needed(schedule)
    question_workers(console, workers, schedule.problem.config.workers.memory)
    console.print(
        f"{count} up to epoch {schedule.until}{describe_phases(schedule)}, "
        f"{number_of(workers, 'worker')}: {time}; "
        f"disk: {show_bytes(checkpoints)} of checkpoints, {show_bytes(mlflow)} in MLflow",
        soft_wrap=True,
    )


def question_workers(console: Console, count: int, memory: float) -> None:
    """Say it where there may be less memory than so many workers need; `memory` is expected of one, in GB."""
    room = psutil.virtual_memory().total / 1e9
    if count > 1 and count * memory > room:
        console.print(
            f"{count} workers may need {count * memory:.0f} GB of memory (workers.memory={memory:g} each), and this "
            f"machine has {room:.0f}: with workers.count=auto there are as many as it has room for.",
            style="yellow",
            soft_wrap=True,
        )


def print_points(console: Console, schedule: Schedule) -> None:
    """How many points there are in each state, and why some are left out."""
    history = schedule.history
    count = Counter(point.state for point in history.points)
    are_new = not any(trial.attempts for trial in history.trials)
    console.print(
        f"[b]{number_of(len(history.points), 'point')}[/b]: "
        f"{count[PointState.FEASIBLE]} {'to train' if are_new else 'feasible'}, "
        f"{count[PointState.INFEASIBLE]} infeasible, {count[PointState.DUPLICATE]} duplicate"
        + describe_share(schedule),
        soft_wrap=True,
    )
    for reason, numbers in left_out(history).items():
        console.print(f"  {escape(reason)}  [dim]({numbered('point', numbers)})[/dim]", soft_wrap=True)


def describe_phases(schedule: Schedule) -> str:
    """What the pruner leaves of the search, and what comes after it."""
    history = schedule.history
    search = schedule.problem.config.search
    best = min(search.confirm, sum(point.state == PointState.FEASIBLE for point in history.points))
    more = f", then the best {best} on {search.confirm_repeats} fresh seeds" if search.confirm else ""
    more += ", then the winner on all images" if search.refit else ""
    if search.pruner == "none":
        return more
    epochs = search_epochs(schedule)
    return f" ({search.pruner} lets about {epochs} epochs be trained in all){more}"


def describe_share(schedule: Schedule) -> str:
    """How many more points follow from results, and which part of its space a strategy that draws found infeasible."""
    history = schedule.history
    search, left = schedule.problem.config.search, int(points_to_come(schedule))
    if is_hopeless(schedule):
        return f"; no more are proposed, since none of the last {MISSES} could be trained"
    words = f"; {left} more to train will be proposed by {search.strategy} as results come" if left else ""
    drawn = history.points
    if search.strategy in GUIDED:  # those of its results are no sample
        trained = [place for place, point in enumerate(drawn, 1) if point.state == PointState.FEASIBLE]
        drawn = drawn[: trained[STARTUP - 1] if len(trained) >= STARTUP else None]
    if search.strategy == "grid" or not drawn:
        return words
    bad = sum(point.state == PointState.INFEASIBLE for point in drawn)
    if not bad:
        return words
    space = f"{schedule.problem.space.count:,.0f}" if schedule.problem.space.count < float("inf") else "infinitely many"
    share = f"about {bad / len(drawn):.0%} cannot be built ({bad} of {len(drawn)} drawn at random)"
    return f"{words}\n[dim]  the space has {space} points, of which {share}[/dim]"


def result(console: Console, schedule: Schedule, folder: Path, data: Dataset | None = None) -> None:
    """The leaderboard, what it is worth, the winner's test accuracy, and what failed."""
    history = schedule.history
    if not rank_trials(history):
        console.print("No trial has finished.")
    else:
        board = leaderboard(history, LEADERS)
        total = len(rank_points(history)) if str(board.columns[0].header).strip() == "point" else len(history.trials)
        print_board(console, board)
        if total > board.row_count:
            more = f"… {total - board.row_count} more: {command('compare', folder.name, sweeps=folder.parent)}"
            console.print(more, style="dim", markup=False, soft_wrap=True)
        print_conclusions(console, folder, history, data)
    print_left_undone(console, schedule)


def print_conclusions(console: Console, folder: Path, history: History, data: Dataset | None = None) -> None:
    """What the first place is worth, the final model's test accuracy, and what was taken from other sweeps."""
    for sentence in (*judge_search(folder, history), *judge_learning(history, data)):
        console.print(sentence, markup=False, soft_wrap=True)
    print_test(console, folder, history, data)
    if taken := describe_taken(history):
        console.print(taken, markup=False, soft_wrap=True)


def print_test(console: Console, folder: Path, history: History, data: Dataset | None) -> None:
    """The final model on the test images, if it has been evaluated, and what that is worth."""
    for sentence in judge_test(folder, history, data):
        text = Text(sentence)
        text.highlight_regex(r"(?<=test accuracy of )\S+", "bold")
        console.print(text, soft_wrap=True)


def print_left_undone(console: Console, schedule: Schedule) -> None:
    """What failed, and what the budget left out."""
    history = schedule.history
    failed = failed_for_good(schedule)
    for trial in failed:
        console.print(
            f"[red]trial {trial.number} failed[/red]: {escape(trial.reason)}", highlight=False, soft_wrap=True
        )
    numbers = {trial.number for trial in failed}
    own = (one for one in history.failures if one.job == TrainJob.kind and one.subject in numbers)
    if any(failure.cause != Cause.NAN for failure in own):  # a NaN comes again
        console.print("To run again only what failed, add search.retry_failed=true.")
    best = final_trial(history)
    if best and not evaluation_of(history, best) and is_given_up(schedule, best):
        key = EvaluateJob.kind, best.number
        reason = history.last_failures[key].message
        more = f"search.retries={history.crashes[key]} tries once more"
        text = f"trial {best.number} could not be evaluated on the test images: {reason}; {more}"
        console.print(text, markup=False, soft_wrap=True)
    if is_bounded(schedule):
        print_budget(console, schedule)


def print_budget(console: Console, schedule: Schedule) -> None:
    """What the budget left undone, and which limit it was."""
    history = schedule.history
    held, search = left_by_budget(schedule), schedule.problem.config.search
    count = len(held) + trials_held_back(schedule)
    what = "not gone on with" if held and all(trial.epochs for trial in held) else "not begun"
    if schedule.budget.is_reached:
        other = "a higher" if search.objective == "val_accuracy" else "a lower"
        console.print(
            f"{number_of(count, 'trial')} {what}: search.target={search.target:g} is reached; {other} one goes on.",
            soft_wrap=True,
        )
        return
    budget = ", ".join(f"search.{key}={getattr(search, key)}" for key in limits_reached(search, history))
    console.print(
        f"{number_of(count, 'trial')} {what}: the budget is used up ({budget}); a larger one goes on.", soft_wrap=True
    )


def limits_reached(search: Search, history: History) -> list[str]:
    """Which limit of the budget ends a search."""
    epochs = sum(len(trial.epochs) for trial in history.trials)
    reached = {"max_epochs": (search.max_epochs, epochs), "max_seconds": (search.max_seconds, history.seconds())}
    found = [key for key, (limit, spent) in reached.items() if limit is not None and spent >= limit]
    return found or ["max_trials" if search.max_trials else "repeats"]


# ------------------------------------------------------------------------------------------ pieces


def print_existing(console: Console, schedule: Schedule, path: Path) -> None:
    """Beside its own sweep a preview says whether that is running, by whom, and how far it is."""
    is_running = is_held(path)
    if not is_running and not any(trial.attempts for trial in schedule.history.trials):
        return
    state = f"running now: {describe_holder(read_holder(path / 'holder.json'))}" if is_running else "going on"
    sweep = f"sweep [b]{path.name}[/b] in {escape(os.path.relpath(path))}"
    console.print(f"{sweep} ({escape(state)}): {describe_progress(schedule)}", soft_wrap=True)


def describe_stopped(schedule: Schedule) -> str:
    """How far a sweep has come that was stopped."""
    job = next_job(schedule, ())
    if job is None:
        return "Stopped while the report or MLflow was written; all else is done"
    left = ", not yet evaluated on test data" if isinstance(job, EvaluateJob) else ""
    return f"Stopped: {describe_progress(schedule)}{left}"


def describe_progress(schedule: Schedule) -> str:
    """`3 of 8 trials finished, 2 under way`."""
    states = Counter(trial.state for trial in schedule.history.trials)
    trials = number_of(count_trials(schedule), "trial")
    under_way = states[TrialState.RUNNING] + states[TrialState.INTERRUPTED] + states[TrialState.PAUSED]
    pruned = f", {states[TrialState.PRUNED]} pruned" if states[TrialState.PRUNED] else ""
    return f"{states[TrialState.FINISHED]} of {trials} finished{pruned}, {under_way} under way"


def count_trials(schedule: Schedule) -> int:
    """Those there are, and those to come."""
    return len(schedule.history.trials) + trials_to_come(schedule)


def print_next_steps(console: Console, schedule: Schedule, path: Path, is_stopped: bool) -> None:
    """Where everything is, and what to do next."""
    if is_stopped:
        console.print(f"{describe_stopped(schedule)}. To go on: [b]{escape(again())}[/b]", soft_wrap=True)
        return
    tracking, paths = schedule.problem.config.tracking, schedule.problem.config.paths
    steps = {"all trials": command("compare", path.name, sweeps=path.parent)}
    if isinstance(tracking, Mlflow):
        steps["MLflow"] = tracking.uri or command("ui", mlruns=paths.mlruns)
    steps["files"] = os.path.relpath(path)
    for what, step in steps.items():
        console.print(f"[dim]{what + ':':<13}[/dim] {escape(step)}", soft_wrap=True)


def new_console() -> Console:
    """The terminal; where there is none, tables may be 120 wide."""
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=120)
    console.on_broken_pipe = pass_on  # type: ignore[method-assign]  # rich would exit with 1
    return console


def pass_on() -> None:
    """Raise again what is being handled."""
    raise
