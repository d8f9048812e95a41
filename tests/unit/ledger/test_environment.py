"""What decides bits is recorded, and a difference in it is named; other differences are not."""

import pytest

from src.ledger.environment import DECISIVE, describe, drift
from src.ledger.history import History
from src.ledger.records import Invocation
from src.search.problem import Plan
from tests.unit.examples import SPACE, checked_history, config, epoch, finish


def trained_under(environment: dict[str, str]) -> History:
    """A sweep whose first epoch was trained under these versions."""
    history = checked_history(Plan.of(config("training.epochs=1", space=SPACE)))
    finish(history, 1, epoch(1))
    history.invocations.append(Invocation(1, 0, 1e9, "here", 1, {}, environment))
    return history


def test_equal_versions_are_no_drift() -> None:
    """The same environment later is none."""
    assert drift(trained_under(describe()), describe()) == ""


@pytest.mark.parametrize("name", DECISIVE)
def test_what_decides_bits_is_drift(name: str) -> None:
    """Another version, device or kernel library is named with both values."""
    assert drift(trained_under(describe()), {**describe(), name: "other"}) == f"{name} {describe()[name]} → other"


@pytest.mark.parametrize("name", ["python", "mlflow", "git"])
def test_what_decides_nothing_is_none(name: str) -> None:
    """Bits do not depend on the interpreter, on MLflow or on a commit."""
    assert drift(trained_under(describe()), {**describe(), name: "other"}) == ""


def test_what_was_not_recorded_is_none() -> None:
    """A sweep of an earlier version, which did not record a name, is not refused for it."""
    before = {name: value for name, value in describe().items() if name != "onednn"}
    assert drift(trained_under(before), describe()) == ""


def test_kernels_of_another_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switching TensorFlow's oneDNN kernels off is recorded."""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert describe()["onednn"] == "0"
