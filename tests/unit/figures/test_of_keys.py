"""Figures of keys show what they say: effects, pairs, parallel coordinates."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from src.analysis.ranking import point_results
from src.figures.of_keys import effects, heat_map, keys_that_vary, parallel
from src.figures.style import ORANGE
from src.ledger.history import History
from src.ledger.objective import ACCURACY
from src.ledger.records import Role
from tests.unit.examples import epoch, finish, history_of
from tests.unit.figures.sweeps import RANGES, SMALL, SWEEPS, WORDS, is_cut_off, searched
from tests.unit.figures.test_of_images import is_png


def draw_all(history: History) -> dict[str, Figure | None]:
    """Every figure of keys."""
    keys = keys_that_vary(point_results(history, Role.SEARCH))
    drawn = {"effects": effects(history), "parallel": parallel(history)}
    return drawn | {"heat map": heat_map(history, keys[0], keys[1])}


@pytest.mark.parametrize("name", SWEEPS)
def test_every_figure_can_be_saved(tmp_path: Path, name: str) -> None:
    """Whatever was searched, each figure is a picture, and no label is cut off."""
    for what, figure in draw_all(SWEEPS[name]()).items():
        assert figure, what
        path = tmp_path / "figure.png"
        figure.savefig(path, dpi="figure")
        assert is_png(path), what
        assert not is_cut_off(figure), what


def test_too_little_to_draw() -> None:
    """A single point has no figures of keys, and neither has a sweep without results."""
    for history in (searched({}), History(ACCURACY)):
        assert effects(history) is parallel(history) is None
        assert keys_that_vary(point_results(history, Role.SEARCH)) == []


def test_keys_that_vary() -> None:
    """Only keys with more than one value among the points that have a result."""
    history = history_of("training.epochs=1")
    finish(history, 1, epoch(1))
    assert keys_that_vary(point_results(history, Role.SEARCH)) == []
    finish(history, 2, epoch(1))
    assert keys_that_vary(point_results(history, Role.SEARCH)) == ["architecture.pool"]


def test_effects_show_every_key() -> None:
    """A field a key with a dot a point; numbers of a wide range have a logarithmic axis; what lies outside is counted."""
    figure = effects(searched(RANGES, "search.strategy=random", "search.max_trials=30"))
    assert figure
    fields = {axes.get_xlabel(): axes for axes in figure.axes if axes.get_xlabel()}
    assert set(fields) == {"learning_rate", "dense_units", "kernel"}
    assert all(len(axes.lines[0].get_xdata()) == 30 for axes in fields.values())  # type: ignore[arg-type]
    assert fields["learning_rate"].get_xscale() == "log" and fields["kernel"].get_xscale() == "linear"
    assert [label.get_text() for label in fields["kernel"].get_xticklabels()] == ["3", "5"]
    notes = [child.get_text() for child in figure.axes[0].texts]
    assert any(note == "1 point below (down to 0.000)" for note in notes)


def test_a_heat_map_shows_means() -> None:
    """A cell a pair of values with the mean of its points; a pair that no point has is empty."""
    history = history_of("training.epochs=1", space=WORDS)
    for number, value in ((1, 0.5), (2, 0.7), (3, 0.9), (5, 0.6)):
        finish(history, number, epoch(1, value))
    keys = ("architecture.batch_norm", "activation")
    figure = heat_map(history, *keys)
    assert figure
    results = {trial.point: trial.objective for trial in history.trials if trial.epochs}
    cells: dict[tuple[str, str], list[float]] = {}
    for point, result in results.items():
        first, second = (str(history.point(point).values[key]) for key in keys)
        cells.setdefault((first, second), []).append(float(result or 0))
    axes = figure.axes[0]
    columns, lines = (
        [label.get_text() for label in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels())
    )
    shown = {(columns[round(t.get_position()[0])], lines[round(t.get_position()[1])]): t.get_text() for t in axes.texts}
    assert {pair: text for pair, text in shown.items() if text != "–"} == {
        pair: f"{np.mean(values):.3f}" for pair, values in cells.items()
    }
    assert len(shown) == len(columns) * len(lines)


def test_a_heat_map_of_too_many_values() -> None:
    """Beyond twelve values, or with one alone, there is nothing to be seen."""
    history = history_of("training.epochs=1", space={"architecture": {"dense_units": {"choice": [*range(8, 21)]}}})
    for trial in history.trials[:1]:
        finish(history, trial.number, epoch(1))
    assert heat_map(history, "architecture.dense_units", "architecture.dense_units") is None


def test_parallel_coordinates_put_the_best_on_top() -> None:
    """A line a point, the best one in a colour of its own and drawn last."""
    figure = parallel(searched(SMALL))
    assert figure
    axes = figure.axes[0]
    marked = [same_color(line.get_color(), ORANGE) for line in axes.lines[:4]]
    assert marked == [False, False, False, True]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["kernel", "pool", "val_accuracy"]
