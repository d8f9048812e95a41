"""Figures of a sweep show what they say: few points and many, one seed and several, numbers and words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from src.analysis.contrasts import Group, compare
from src.analysis.ranking import point_results
from src.figures import of_keys, of_sweeps
from src.figures.of_sweeps import pareto
from src.figures.style import BLUE, ORANGE, compact
from src.ledger.history import History
from src.ledger.objective import ACCURACY
from src.ledger.records import Invocation, Role, TrialState
from src.search.problem import Plan
from tests.unit.examples import SPACE, checked_history, config, epoch, finish
from tests.unit.figures.test_of_images import is_png

SMALL: dict[str, Any] = {"architecture": {"kernel": {"choice": [3, 5]}, "pool": {"choice": [1, 2]}}}
WORDS: dict[str, Any] = {
    "activation": {"choice": ["relu", "tanh", "elu"]},
    "architecture": {"filters": {"choice": [[8, 16], 16]}, "batch_norm": {"choice": [True, False]}},
}
RANGES: dict[str, Any] = {
    "optimizer": {"learning_rate": {"float": {"min": 1e-5, "max": 1e-1, "log": True}}},
    "architecture": {"dense_units": {"int": {"min": 8, "max": 500}}, "kernel": {"choice": [3, 5]}},
}


def rows_of(space: dict[str, Any], *overrides: str) -> History:
    """A sweep that has ended: the first point learns nothing, the others are near each other."""
    history = checked_history(Plan.of(config("training.epochs=3", *overrides, space=space)))
    history.invocations.append(Invocation(1, 1000, 1e9, "here", 1, {}, {}))
    rng = np.random.default_rng(0)
    for trial in history.trials:
        end = 0.1 if trial.point == 1 else 0.95 + 0.02 * rng.random()
        finish(history, trial.number, *(epoch(n, end - 0.3 / n, 1 / n, seconds=trial.number) for n in (1, 2, 3)))
    return history


SWEEPS = {
    "four points": lambda: rows_of(SMALL),
    "words, three seeds": lambda: rows_of(WORDS, "search.repeats=3"),
    "120 points": lambda: rows_of(RANGES, "search.strategy=random", "search.max_trials=120"),
}


def draw_all(history: History) -> dict[str, Figure | None]:
    """Every figure of a sweep."""
    keys = of_keys.keys_that_vary(point_results(history, Role.SEARCH))
    drawn = {name: getattr(figures, name)(history) for name in ("effects", "parallel", "trade_off", "progress")}
    drawn |= {f"curves {key}": of_sweeps.curves_by(history, key) for key in keys}
    return drawn | {
        "heat map": of_keys.heat_map(history, keys[0], keys[1]),
        "bars": of_sweeps.importance_bars(dict.fromkeys(keys, 0.5), 0.9),
    }


@pytest.mark.parametrize("name", SWEEPS)
def test_every_figure_can_be_saved(tmp_path: Path, name: str) -> None:
    """Whatever was searched, each figure is a picture, and no label is cut off."""
    for what, figure in draw_all(SWEEPS[name]()).items():
        if figure is None:
            assert what.startswith(("curves", "heat")) and name != "four points"
            continue
        path = tmp_path / "figure.png"
        figure.savefig(path, dpi="figure")
        assert is_png(path), what
        assert not is_cut_off(figure), what


def is_cut_off(figure: Figure) -> bool:
    """Whether something reaches beyond the figure's edge."""
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return bool(min(box.x0, box.y0) < -0.02) or bool(box.x1 > width + 0.02 or box.y1 > height + 0.02)


def test_too_little_to_draw() -> None:
    """A single point has no figures of a sweep, and neither has a sweep without results."""
    for history in (rows_of({}), History(ACCURACY)):
        assert {
            name: getattr(figures, name)(history) for name in ("effects", "parallel", "trade_off", "progress")
        } == dict.fromkeys(("effects", "parallel", "trade_off", "progress"))


def test_ahead_tells_what_is_beyond_chance() -> None:
    """Those that may be as good as the first have another colour than those that are worse."""
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
    figure = of_sweeps.ahead(compare(groups, True), "val_accuracy", {"2": "a name that is long " * 8})
    assert figure
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [dot.get_color() for dot in dots] == [BLUE, ORANGE]
    figure.canvas.draw()
    assert not is_cut_off(figure)


def test_pareto() -> None:
    """The cheapest, then each that is better than all cheaper ones; ties go to the first."""
    assert pareto([1, 2, 3, 4, 1], [5, 3, 4, 1, 5]) == [0, 1, 3]


def test_progress_leaves_pauses_out() -> None:
    """Time between two invocations does not count."""
    history = History(ACCURACY, invocations=[Invocation(n, 100 * n, 100 * n + 10, "", 1, {}, {}) for n in (1, 2)])
    assert [of_sweeps.active_seconds(history, moment) for moment in (100, 105, 150, 205)] == [0, 5, 10, 15]


def test_progress_shows_what_was_pruned() -> None:
    """Pruned trials have marks of their own, beside those that were trained to the end."""
    history = checked_history(Plan.of(config("training.epochs=1", space=SPACE)))
    history.invocations.append(Invocation(1, 1000, 1e9, "here", 1, {}, {}))
    for number in (1, 2, 3, 4):
        finish(history, number, epoch(1, number / 10))
    history.trial(1).state = history.trial(2).state = TrialState.PRUNED
    figure = of_sweeps.progress(history)
    assert figure
    marks = {line.get_marker(): len(line.get_xdata()) for line in figure.axes[0].lines}  # type: ignore[arg-type]
    assert (marks["o"], marks["x"]) == (2, 2) and "seconds since the start" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize(("value", "text"), [(20, "20"), (0.001, "0.001"), (50_000, "50k"), (2_000_000, "2M")])
def test_compact(value: float, text: str) -> None:
    """Labels of a logarithmic axis are short."""
    assert compact(value) == text
