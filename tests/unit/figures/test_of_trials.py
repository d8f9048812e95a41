"""A trial's curves show its epochs, and which of them was the best."""

from pathlib import Path
from typing import Any

import pytest

from src.figures.of_trials import curves
from src.figures.style import save
from src.ledger.records import Epoch
from tests.unit.examples import epoch
from tests.unit.figures.test_of_images import is_png


@pytest.mark.parametrize("count", [1, 2, 30])
def test_curves_can_be_saved(tmp_path: Path, count: int) -> None:
    """Curves of one epoch and of many, with the best one's value beside its mark."""
    figure = curves([epoch(number, number / 100, 1.0) for number in range(1, count + 1)], count, "trial 1")
    accuracy = figure.axes[0].get_legend_handles_labels()[1]
    assert f"best epoch {count}: {count / 100:.4f}" in accuracy
    assert is_png(save(figure, tmp_path / "curves.png"))


def lines(axes: Any) -> dict[str, tuple[list[float], list[float]]]:
    """What is drawn, by its label."""
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}


def test_each_metric_has_its_own_axes() -> None:
    """Accuracy and loss by epoch, training beside validation, and a mark at the best epoch."""
    figure = curves([epoch(1, 0.5, 1.5), epoch(2, 0.75, 1.25), epoch(3, 0.25, 1.0)], 2, "trial 1")
    accuracy, loss = figure.axes
    assert (accuracy.get_title(), loss.get_title(), figure.get_suptitle()) == ("accuracy", "loss", "trial 1")
    assert lines(accuracy)["validation"] == ([1, 2, 3], [0.5, 0.75, 0.25])
    assert lines(accuracy)["training"] == ([1, 2, 3], [0.5, 0.5, 0.5])
    assert lines(accuracy)["best epoch 2: 0.7500"] == ([2], [0.75])
    assert lines(loss)["best epoch 2: 1.2500"] == ([2], [1.25])


def test_a_refit_has_no_validation() -> None:
    """Its curves are those of training alone, without a best epoch."""
    epochs = [Epoch(number, {"loss": 1.0, "accuracy": 0.5, "learning_rate": 0.1}, 1.0, 1.0) for number in (1, 2)]
    for axes in curves(epochs, 2, "trial 1").axes:
        assert list(lines(axes)) == ["training"]


def test_a_long_title_is_broken(tmp_path: Path) -> None:
    """However much was searched, the title stays within the picture."""
    figure = curves([epoch(1)], 1, "a key=value that is long " * 12)
    assert max(map(len, figure.get_suptitle().splitlines())) <= 100 and is_png(save(figure, tmp_path / "a.png"))
