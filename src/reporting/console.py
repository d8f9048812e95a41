"""What is printed about a sweep before it trains and after: points, time, disk, leaderboard."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from src.analysis.conclusions import describe_taken, judge_search
from src.analysis.ranking import evaluation_of, final_trial, rank_points, rank_trials
from src.analysis.tables import left_out, point_table, trial_table
from src.base.text import command, number_of, short_keys, show, show_bytes, show_metric, show_seconds, spans
from src.config.schema import Search
from src.ledger.history import History
from src.ledger.jobs import EvaluateJob, TrainJob
from src.ledger.records import Cause, PointState, Role
from src.search.budget import budget_of, target
from src.search.estimate import bytes_needed, search_epochs, seconds_left
from src.search.problem import Plan
from src.search.proposals import MISSES, is_hopeless, points_to_come
from src.search.samplers import GUIDED, STARTUP
from src.search.schedule import (
    failed_for_good,
    is_bounded,
    is_given_up,
    left_by_budget,
    trials_held_back,
    trials_to_come,
    unfinished,
)

LEADERS = 10  # rows of the leaderboard after a sweep


def overview(console: Console, plan: Plan, history: History, train_images: int, workers: int) -> None:
    """How many points there are, which cannot be trained and why, and what the rest will cost."""
    count = {
        state: sum(p.state == state for p in history.points)
        for state in (PointState.FEASIBLE, PointState.INFEASIBLE, PointState.DUPLICATE)
    }
    console.print(
        f"[b]{number_of(len(history.points), 'point')}[/b]: {count[PointState.FEASIBLE]} to train, "
        f"{count[PointState.INFEASIBLE]} infeasible, {count[PointState.DUPLICATE]} duplicate"
        + describe_share(plan, history)
    )
    for reason, numbers in left_out(history).items():
        console.print(
            f"  {escape(reason)}  [dim](point{'s' if len(numbers) > 1 else ''} {spans(numbers)})[/dim]", soft_wrap=True
        )
    left = seconds_left(plan, history, train_images, workers)
    search = plan.config.search
    best = min(search.confirm, count[PointState.FEASIBLE])
    more = f", then the best {best} on {search.confirm_repeats} fresh seeds" if search.confirm else ""
    more += ", then the winner on all images" if search.refit else ""
    if search.pruner != "none":
        more = f" ({search.pruner} lets about {search_epochs(plan, history, budget_of(plan.config, history))} epochs be trained in all){more}"
    checkpoints, mlflow = bytes_needed(plan, history)
    time = f"about [b]{show_seconds(left)}[/b] of training" if left is not None else "unknown time"
    budget = budget_of(plan.config, history)
    trials = len(unfinished(history, budget)) + trials_to_come(plan, history)
    console.print(
        f"{number_of(trials, 'trial')} up to epoch {target(plan.config, history)}{more}, "
        f"{number_of(workers, 'worker')}: {time}; "
        f"disk: {show_bytes(checkpoints)} of checkpoints, {show_bytes(mlflow)} in MLflow"
    )


def describe_share(plan: Plan, history: History) -> str:
    """How many more points follow from results, and which part of its space a strategy that draws found infeasible."""
    search, left = plan.config.search, int(points_to_come(plan, history))
    if is_hopeless(plan, history):
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
    space = f"{plan.space.count:,.0f}" if plan.space.count < float("inf") else "infinitely many"
    share = f"about {bad / len(drawn):.0%} cannot be built ({bad} of {len(drawn)} drawn at random)"
    return f"{words}\n[dim]  the space has {space} points, of which {share}[/dim]"


def preview_table(history: History) -> Table:
    """All points with what a preview knows of them."""
    table = new_table("point", *short_keys(list(history.points[0].values)), "parameters", "state")
    for point in history.points:
        cells = [str(point.number), *map(show_escaped, point.values.values())]
        table.add_row(
            *cells,
            f"{point.parameters:,}" if point.parameters else "–",
            point.state,
            style="" if point.state == PointState.FEASIBLE else "dim",
        )
    return table


def leaderboard(history: History, limit: int | None) -> Table:
    """The best, best first: trials, or points with mean ± standard deviation where these have several seeds."""
    several = any(len(standing.trials) > 1 for standing in rank_points(history))
    return board_of_points(history, limit) if several else board_of_trials(history, limit)


def board_of_points(history: History, limit: int | None) -> Table:
    """Points that have a result."""
    shown = point_table(history)[:limit]
    keys = list(history.points[0].values)
    roles = any(row["role"] == "confirm" for row in shown)
    columns = ["point", *short_keys(keys), *(["seeds"] if roles else []), "n", "val_accuracy", "val_loss", "seconds"]
    table = new_table(*columns, "parameters", text=("seeds",))
    for place, row in enumerate(shown, 1):
        cells = [str(row["point"]), *(show_escaped(row[key]) for key in keys)]
        cells += ["fresh" if row["role"] == "confirm" else "of the search"] if roles else []
        cells += [str(row["seeds"]), show_mean(row, "val_accuracy"), show_mean(row, "val_loss")]
        table.add_row(*cells, f"{row['seconds']:.1f}", f"{row['parameters']:,}", style="bold" if place == 1 else "")
    return table


def show_mean(row: dict[str, Any], metric: str) -> str:
    """`0.9860 ± 0.0021`; without the deviation of a single one."""
    deviation = row[f"{metric}_sd"]
    return show_metric(row[metric]) + (f" ± {show_metric(deviation)}" if deviation is not None else "")


def board_of_trials(history: History, limit: int | None) -> Table:
    """Trials, with their states where not all shown have finished."""
    shown = trial_table(history)[:limit]
    keys = list(history.points[0].values) if history.points else []
    states = any(row["state"] != "finished" or row["reason"] or row["drift"] for row in shown)
    columns = ["trial", *short_keys(keys), "val_accuracy", "val_loss", "epoch", "seconds", "parameters"]
    table = new_table(*columns, *(["state"] if states else []))
    for place, row in enumerate(shown, 1):
        cells = [str(row["trial"]), *(show_escaped(row[key]) for key in keys), show_metric(row["val_accuracy"])]
        cells += [show_metric(row["val_loss"]), f"{show(row['best_epoch'])}/{row['epochs']}", f"{row['seconds']:.1f}"]
        state = row["reason"].partition(":")[0] if row["state"] == "finished" and row["reason"] else row["state"]
        state += f"; under {row['drift']}" if row["drift"] else ""  # whole reasons are in CSV, JSON and the report
        best = place == 1 and row["state"] == "finished"
        cells += [f"{row['parameters']:,}", *([escape(state)] if states else [])]
        table.add_row(*cells, style="bold" if best else "")
    return table


def result(console: Console, plan: Plan, history: History, folder: Path) -> None:
    """The leaderboard, what it is worth, the winner's test accuracy, and what failed."""
    if not rank_trials(history):
        console.print("No trial has finished.")
    else:
        board = leaderboard(history, LEADERS)
        total = len(rank_points(history)) if board.columns[0].header == "point" else len(history.trials)
        console.print(board)
        if total > board.row_count:
            more = f"… {total - board.row_count} more: {command('compare')} {folder.name}"
            console.print(f"[dim]{more}[/dim]", soft_wrap=True)
        for sentence in judge_search(folder, history):
            console.print(sentence, markup=False, soft_wrap=True)
        show_test(console, history)
        if taken := describe_taken(history):
            console.print(taken, markup=False, soft_wrap=True)
    left_undone(console, plan, history)


def show_test(console: Console, history: History) -> None:
    """The final model on the test images, if it has been evaluated."""
    best = final_trial(history)
    if not best or not (evaluation := evaluation_of(history, best)):
        return
    times = len(history.evaluations)
    which = f"The best on validation, trial {best.number}"
    if best.role == Role.REFIT:
        which = f"Trial {best.number}, the winner trained on validation images too"
    console.print(
        f"{which}, has a test accuracy of [b]{evaluation.accuracy:.4f}[/b] (loss {show_metric(evaluation.loss)}). "
        f"Test images were looked at {'once' if times == 1 else f'{times} times'}.",
        soft_wrap=True,
    )


def left_undone(console: Console, plan: Plan, history: History) -> None:
    """What failed, and what the budget left out."""
    failed = failed_for_good(plan, history)
    for trial in failed:
        console.print(f"[red]trial {trial.number} failed[/red]: {escape(trial.reason)}", highlight=False)
    numbers = {trial.number for trial in failed}
    if any(
        f.job == TrainJob.kind and f.subject in numbers and f.cause != Cause.NAN for f in history.failures
    ):  # a NaN comes again
        console.print("To run again only what failed, add search.retry_failed=true.")
    best = final_trial(history)
    if best and not evaluation_of(history, best) and is_given_up(plan, history, best):
        reason = next(
            f.message for f in reversed(history.failures) if (f.job, f.subject) == (EvaluateJob.kind, best.number)
        )
        more = f"search.retries={history.crashes['evaluate', best.number]} tries once more"
        console.print(f"trial {best.number} could not be evaluated on the test images: {reason}; {more}", markup=False)
    if is_bounded(plan, history):
        print_budget(console, plan, history)


def print_budget(console: Console, plan: Plan, history: History) -> None:
    """What the budget left undone, and which limit it was."""
    held, search = left_by_budget(plan, history), plan.config.search
    count = len(held) + trials_held_back(plan, history)
    what = "not gone on with" if held and all(trial.epochs for trial in held) else "not begun"
    if budget_of(plan.config, history).is_reached:
        other = "a higher" if search.objective == "val_accuracy" else "a lower"
        console.print(
            f"{number_of(count, 'trial')} {what}: search.target={search.target:g} is reached; {other} one goes on."
        )
        return
    budget = ", ".join(f"search.{key}={getattr(search, key)}" for key in limits_reached(search, history))
    console.print(
        f"{number_of(count, 'trial')} {what}: the budget is used up ({budget}); a larger one goes on.", soft_wrap=True
    )


def limits_reached(search: Search, history: History) -> list[str]:
    """Which of the amounts ends a search."""
    epochs = sum(len(trial.epochs) for trial in history.trials)
    reached = {"max_epochs": (search.max_epochs, epochs), "max_seconds": (search.max_seconds, history.seconds())}
    found = [key for key, (limit, spent) in reached.items() if limit is not None and spent >= limit]
    return found or ["max_trials" if search.max_trials else "repeats"]


# ------------------------------------------------------------------------------------------ pieces


def new_console() -> Console:
    """The terminal; where there is none, lines may be 120 wide."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=120)


def new_table(*columns: str, text: Collection[str] = ("state",)) -> Table:
    """A plain table of numbers, but for the columns that hold text."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        words = column in text
        heading = column.replace("_", "\n")
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words, vertical="bottom")
    return table


def show_escaped(value: Any) -> str:
    """A cell whose brackets are no markup."""
    return escape(show(value))
