"""What decides bits is recorded, and a difference in it is named; other differences are not."""

from pathlib import Path

import pytest

from src.ledger import environment
from src.ledger.environment import (
    DECISIVE,
    PROPOSING,
    caches,
    describe,
    drift,
    first_training,
    gives_equal_bits,
    instructions,
)
from src.ledger.history import History
from src.ledger.records import Invocation
from tests.unit.examples import epoch, finish, history_of


def trained_under(environment: dict[str, str]) -> History:
    """A sweep whose first epoch was trained under these versions."""
    history = history_of("training.epochs=1")
    finish(history, 1, epoch(1))
    history.invocations.append(Invocation(1, 0, 1e9, "here", 1, {}, environment))
    return history


def test_equal_versions_are_no_drift() -> None:
    """The same environment later is none."""
    assert drift(trained_under(describe()), describe()) == ""


@pytest.mark.parametrize("name", [*DECISIVE, *PROPOSING])
def test_what_decides_bits_is_drift(name: str) -> None:
    """Another version, device, instruction set or kernel library is named with both values; so is what proposes points."""
    assert drift(trained_under(describe()), {**describe(), name: "other"}) == f"{name} {describe()[name]} → other"


@pytest.mark.parametrize("name", ["python", "mlflow", "git"])
def test_what_decides_nothing_is_none(name: str) -> None:
    """Bits do not depend on the interpreter, on MLflow or on a commit."""
    assert drift(trained_under(describe()), {**describe(), name: "other"}) == ""


@pytest.mark.parametrize("name", ["onednn", "instructions"])
def test_what_was_not_recorded_is_none(name: str) -> None:
    """A sweep of an earlier version, which did not record a name, is not refused for it."""
    assert drift(trained_under(without(name)), describe()) == ""


def without(name: str) -> dict[str, str]:
    """What an earlier version recorded here."""
    return {known: value for known, value in describe().items() if known != name}


def test_a_sweep_that_has_not_trained_has_no_drift() -> None:
    """As long as there is no epoch, nothing has been decided."""
    history = trained_under({"numpy": "of before"})
    assert drift(history, describe()) != ""
    history.trial(1).epochs.clear()
    assert drift(history, describe()) == "" and first_training(history) is None


def test_the_first_epoch_decides() -> None:
    """Invocations that ended before any epoch, or came later, do not: all trials are to be comparable with the first."""
    history = trained_under(describe())
    history.invocations.insert(0, Invocation(1, 0, 10, "here", 1, {}, {"numpy": "of before"}))
    history.invocations.append(Invocation(3, 0, 2e9, "here", 1, {}, {"numpy": "of later"}))
    assert first_training(history) is history.invocations[1] and drift(history, describe()) == ""


# ------------------------------------------------------------------------------------- trials of others


@pytest.mark.parametrize("name", DECISIVE)
def test_equal_bits_need_an_equal_environment(name: str) -> None:
    """Whatever decides bits must be the same, and known; but older environments did not tell instructions."""
    here = describe()
    assert gives_equal_bits(here, here) and not gives_equal_bits({**here, name: "other"}, here)
    assert gives_equal_bits(without(name), here) is (name == "instructions")
    assert gives_equal_bits({**here, "git": "other", "mlflow": "1", "optuna": "1"}, here)


# ---------------------------------------------------------------------------------------- instructions


def machine(root: Path, cpuinfo: str | None, **indices: tuple[str, str, str]) -> None:
    """What Linux says of a processor, in a folder: `cpuinfo`, and level, type and size of each cache."""
    if cpuinfo is not None:
        (root / "proc").mkdir()
        (root / "proc" / "cpuinfo").write_text(cpuinfo)
    for index, values in indices.items():
        folder = root / "sys/devices/system/cpu/cpu0/cache" / index
        folder.mkdir(parents=True)
        for name, value in zip(("level", "type", "size"), values, strict=True):
            (folder / name).write_text(f"{value}\n")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of the system's own files."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return tmp_path


CPUINFO = """processor\t: {}
model name\t: A processor at 2 GHz
flags\t\t: fpu sse2 {} ht
vmx flags\t: vnmi avx512f
bugs\t\t: spectre_v1
"""
CACHES = {
    **{"index3": ("3", "Unified", "32768K"), "index0": ("1", "Data", "32K"), "index1": ("1", "Instruction", "32K")},
    "index2": ("2", "Unified", "1024K"),
}


def test_instructions(root: Path) -> None:
    """Those sets that decide kernels, in one order, and the first core's caches, the nearest first."""
    flags = ("amx_int8 amx_tile avx512_vnni avx avx2 fma f16c avx512_bf16 avx512f", "fma")  # the first core's count
    machine(root, "\n".join(CPUINFO.format(number, own) for number, own in enumerate(flags)), **CACHES)
    sets = "avx2 fma avx512f avx512_vnni avx512_bf16 amx_tile amx_int8"
    assert instructions() == f"{sets}; L1d 32K, L1i 32K, L2 1024K, L3 32768K"
    assert describe()["instructions"] == instructions()
    assert describe()["device"] == "A processor at 2 GHz"


def test_instructions_of_a_system_that_does_not_say(root: Path) -> None:
    """Where there are no such files there are no instructions, and no error."""
    assert instructions() == "" and describe()["instructions"] == "" and describe()["device"]


@pytest.mark.parametrize(
    ("cpuinfo", "indices", "words"),
    [
        (CPUINFO.format(0, "avx2 fma"), {}, "avx2 fma"),
        (None, CACHES, "L1d 32K, L1i 32K, L2 1024K, L3 32768K"),
        ("processor\t: 0\nFeatures\t: fp asimd\n", {"index0": ("1", "Unified", "64K")}, "L1 64K"),
        (CPUINFO.format(0, "avx"), {}, ""),
        ("", {}, ""),
    ],
)
def test_instructions_of_a_system_that_says_half(
    root: Path, cpuinfo: str | None, indices: dict[str, tuple[str, str, str]], words: str
) -> None:
    """What is missing is left out."""
    machine(root, cpuinfo, **indices)
    assert instructions() == words


def test_a_cache_that_cannot_be_read_is_left_out(root: Path) -> None:
    """As some containers and virtual machines have them."""
    machine(root, None, **CACHES)
    (root / "sys/devices/system/cpu/cpu0/cache/index3/size").unlink()
    assert caches() == ["L1d 32K", "L1i 32K", "L2 1024K"]


def test_kernels_of_another_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switching TensorFlow's oneDNN kernels off is recorded."""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert describe()["onednn"] == "0"
