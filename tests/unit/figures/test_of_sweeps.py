"""Figures of a sweep show what they say: who is ahead, curves, what it cost."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from src.analysis.contrasts import Comparison, Group, compare
from src.analysis.ranking import point_results
from src.figures.of_keys import keys_that_vary
from src.figures.of_sweeps import (
    active_seconds,
    ahead,
    curves_by,
    curves_of,
    importance_bars,
    pareto,
    progress,
    trade_off,
)
from src.figures.style import BLUE, GREY, ORANGE
from src.ledger.history import History
from src.ledger.objective import ACCURACY, LOSS
from src.ledger.records import Invocation, Role, TrialState
from tests.unit.examples import epoch, finish, history_of
from tests.unit.figures.sweeps import SMALL, SWEEPS, WORDS, is_cut_off, searched
from tests.unit.figures.test_of_images import is_png


def draw_all(history: History) -> dict[str, Figure | None]:
    """Every figure of a sweep."""
    keys = keys_that_vary(point_results(history, Role.SEARCH))
    drawn = {"trade off": trade_off(history), "progress": progress(history)}
    drawn |= {f"curves {key}": curves_by(history, key, list(curves_of(history, key))) for key in keys}
    return drawn | {"bars": importance_bars(dict.fromkeys(keys, 0.5), 0.9)}


@pytest.mark.parametrize("name", SWEEPS)
def test_every_figure_can_be_saved(tmp_path: Path, name: str) -> None:
    """Whatever was searched, each figure is a picture, and no label is cut off."""
    for what, figure in draw_all(SWEEPS[name]()).items():
        if figure is None:
            assert what.startswith("curves") and name != "four points"
            continue
        path = tmp_path / "figure.png"
        figure.savefig(path, dpi="figure")
        assert is_png(path), what
        assert not is_cut_off(figure), what


def test_too_little_to_draw() -> None:
    """A single point has no figures of a sweep, and neither has a sweep without results."""
    for history in (searched({}), History(ACCURACY)):
        assert trade_off(history) is progress(history) is None
    assert ahead(Comparison([Group("1")], []), ACCURACY, {}) is None


def legend_of(axes: Axes) -> list[str]:
    """What a legend says."""
    legend = axes.get_legend()
    assert legend
    return [text.get_text() for text in legend.get_texts()]


def test_ahead_tells_what_is_significant() -> None:
    """Those that are significantly worse than the first have another colour than the others; the legend names both."""
    rng = np.random.default_rng(0)
    right = np.tile(rng.permutation(np.repeat([1.0, 0.0], [360, 40])), (5, 1))
    other = right.copy()
    for seed in other:  # two images lost and one won, others on each seed
        seed[rng.choice(np.flatnonzero(seed), 2)] = 0
        seed[rng.choice(np.flatnonzero(seed == 0))] = 1
    groups = [
        Group("1", dict(enumerate(right))),
        Group("2", dict(enumerate(other))),
        Group("3", dict(enumerate((rng.random((5, 400)) < 0.5).astype(float)))),
    ]
    figure = ahead(compare(groups, True), ACCURACY, {"2": "a name that is long " * 8})
    assert figure
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [dot.get_color() for dot in dots] == [BLUE, ORANGE]
    assert legend_of(figure.axes[0]) == ["not significantly different from the first", "significantly worse"]
    figure.canvas.draw()
    assert not is_cut_off(figure)


def test_ahead_without_intervals() -> None:
    """What cannot be judged has a dot in a colour of its own, and the legend says why; no other colour is named."""
    groups = [Group(name, {0: np.array([value])}) for name, value in (("1", 0.9), ("2", 0.8), ("3", 0.2))]
    figure = ahead(compare(groups, True), ACCURACY, {})
    assert figure
    assert {line.get_color() for line in figure.axes[0].lines} == {GREY}
    assert legend_of(figure.axes[0]) == ["too few seeds for an interval"]


def test_ahead_cuts_wide_intervals() -> None:
    """Differences can be seen beside an interval that is far wider; where it is cut an arrow says so."""
    rng = np.random.default_rng(1)
    values = {"1": [0.99] * 4, "2": [0.98] * 4, "3": [0.6, 0.99, 0.99, 1.33]}
    groups = [
        Group(name, {seed: level + 0.001 * rng.random(50) for seed, level in enumerate(own)})
        for name, own in values.items()
    ]
    figure = ahead(compare(groups, True, is_ordered=True), ACCURACY, {})
    assert figure
    low, high = figure.axes[0].get_xlim()
    assert -5 < low < 0 and 1 < high < 5
    assert sorted({str(line.get_marker()) for line in figure.axes[0].lines} - {"o", "None"}) == ["<", ">"]
    figure.canvas.draw()
    assert not is_cut_off(figure)


def test_ahead_leaves_out_what_is_far_away() -> None:
    """A point that learned nothing is a number at the border, so that the others can be seen."""
    rng = np.random.default_rng(0)
    levels = {"1": 0.99, "2": 0.985, "3": 0.98, "4": 0.975, "5": 0.1}
    groups = [
        Group(name, {seed: level + 0.001 * rng.random(50) for seed in range(3)}) for name, level in levels.items()
    ]
    figure = ahead(compare(groups, True), ACCURACY, {})
    assert figure
    assert [text.get_text() for text in figure.axes[0].texts] == ["89.0 →"]
    assert figure.axes[0].get_xlabel() == "percentage points behind point 1"
    named = ahead(compare(groups, True), ACCURACY, {"1": "point 1: activation=relu"})
    assert named and named.axes[0].get_xlabel() == "percentage points behind point 1: activation=relu"
    by_loss = ahead(compare(groups, False), LOSS, {})
    assert by_loss and by_loss.axes[0].get_xlabel() == "val_loss behind point 5"


def test_curves_by_a_key() -> None:
    """A line a value, through the medians of its trials, in the order asked for; nothing for a key with one value."""
    figure = curves_by(searched(WORDS), "activation", ["elu", "relu", "tanh"])
    assert figure
    for axes, metric in zip(figure.axes, ("val_accuracy", "val_loss"), strict=True):
        assert axes.get_title() == metric and len(axes.lines) == 3
    assert legend_of(figure.axes[1]) == ["elu", "relu", "tanh"]
    assert curves_by(searched(SMALL), "activation", ["relu"]) is None


def test_curves_out_of_view() -> None:
    """A value that learned nothing is named, and does not press the others together."""
    names = ["relu", "tanh", "gelu", "silu", "selu", "elu"]
    history = history_of("training.epochs=3", space={"activation": {"choice": names}})
    for trial in history.trials:
        end = 0.1 if history.point(trial.point).values["activation"] == "elu" else 0.95 + trial.number / 1000
        finish(history, trial.number, *(epoch(n, end + n / 1000, 1 / n) for n in (1, 2, 3)))
    figure = curves_by(history, "activation", names)
    assert figure and [text.get_text() for text in figure.axes[0].texts] == ["out of view: elu"]
    assert figure.axes[0].get_ylim()[0] > 0.9
    assert legend_of(figure.axes[1]) == names, "its loss is in view"


def test_a_legend_names_what_is_seen() -> None:
    """A value whose curves are both out of view has no line in the legend, whose colour would be looked for in vain."""
    names = ["relu", "tanh", "gelu", "silu", "selu", "elu"]
    history = history_of("training.epochs=2", space={"activation": {"choice": names}})
    for trial in history.trials:
        learned = history.point(trial.point).values["activation"] != "relu"
        finish(history, trial.number, *(epoch(n, 0.9 if learned else 0.1, 0.5 if learned else 5) for n in (1, 2)))
    figure = curves_by(history, "activation", names)
    assert figure and legend_of(figure.axes[1]) == names[1:]


def test_pareto() -> None:
    """The cheapest, then each that is better than all cheaper ones; ties go to the first."""
    assert pareto([1, 2, 3, 4, 1], [5, 3, 4, 1, 5]) == [0, 1, 3]


def test_progress_leaves_pauses_out() -> None:
    """Time between two invocations does not count."""
    history = History(ACCURACY, invocations=[Invocation(n, 100 * n, 100 * n + 10, "", 1, {}, {}) for n in (1, 2)])
    assert [active_seconds(history, moment) for moment in (100, 105, 150, 205)] == [0, 5, 10, 15]


def test_progress_shows_what_was_pruned() -> None:
    """Pruned trials have marks of their own, beside those that were trained to the end."""
    history = history_of("training.epochs=1")
    history.invocations.append(Invocation(1, 1000, 1e9, "here", 1, {}, {}))
    for number in (1, 2, 3, 4):
        finish(history, number, epoch(1, number / 10))
    history.trial(1).state = history.trial(2).state = TrialState.PRUNED
    figure = progress(history)
    assert figure
    marks = {line.get_marker(): len(line.get_xdata()) for line in figure.axes[0].lines}  # type: ignore[arg-type]
    assert (marks["o"], marks["x"]) == (2, 2) and "seconds since the start" in figure.axes[0].get_xlabel()


def test_importance_bars() -> None:
    """A bar a key with its share, and how much of the differences they predict; never less than nothing."""
    figure = importance_bars({"kernel": 0.7, "pool": 0.3}, -0.2)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["70%", "30%"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["kernel", "pool"]
    assert " 0% of the differences" in axes.get_title()
