"""What a trial's bits depend on besides its configuration: versions, processor, this project's own training code."""

import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from src.ledger.history import History
from src.ledger.records import Invocation

TRIAL_CODE = "2"  # raised with each change after which an equal trial gives other bits
DECISIVE = ("tensorflow", "keras", "numpy", "device", "instructions", "onednn", "trial_code")  # of a trial's bits
PROPOSING = ("keras-tuner", "optuna", "scikit-learn", "scipy")  # of the points that are proposed
PACKAGES = ("tensorflow", "keras", "numpy", *PROPOSING, "mlflow")
FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_bf16", "amx_int8")
CACHE_KINDS = {"Data": "d", "Instruction": "i"}  # of the first level's; others hold both
ROOT = Path("/")


def describe() -> dict[str, str]:
    """Versions, device, instructions and git commit, as each invocation records them."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1")  # other kernels add up in another order
    here = {"device": device(), "instructions": instructions(), "onednn": onednn}
    return {"python": sys.version.split()[0], **versions, **here, "trial_code": TRIAL_CODE, "git": git_commit()}


def drift(history: History, here: dict[str, str]) -> str:
    """How this environment differs, in what decides points or bits, from the one in which the first epoch was trained."""
    first = first_training(history)
    then = first.environment if first else {}
    changed = [name for name in DECISIVE + PROPOSING if name in then and then[name] != here[name]]
    return ", ".join(f"{name} {then[name]} → {here[name]}" for name in changed)


def gives_equal_bits(then: dict[str, str], here: dict[str, str]) -> bool:
    """Whether equal trials of two environments give the same bits. Older ones did not record their instructions."""
    compared = (name for name in DECISIVE if name in then or name != "instructions")
    return all(then.get(name) == here[name] for name in compared)


def first_training(history: History) -> Invocation | None:
    """The invocation in which an epoch was first trained."""
    ended = [trial.epochs[0].ended for trial in history.trials if trial.epochs]
    return next((i for i in history.invocations if ended and i.ended >= min(ended)), None)


def device() -> str:
    """The GPU's or else the processor's model."""
    found = [*read_all("/proc/driver/nvidia/gpus/*/information", r"Model:\s*(.+)")]
    found = found or read_all("/proc/cpuinfo", r"model name\s*:\s*(.+)")
    return found[0].strip() if found else platform.processor() or platform.machine()


def instructions() -> str:
    """What kernels are chosen by: `avx2 fma; L1d 32K, L2 1024K`; what the system does not say is left out.

    A virtual machine may hide some of a processor's instruction sets, whatever its model is called.
    """
    flags = " ".join(read_all("/proc/cpuinfo", r"(?m)^flags\s*:(.*)")[:1]).split()
    return "; ".join(filter(None, (" ".join(flag for flag in FLAGS if flag in flags), ", ".join(caches()))))


def caches() -> list[str]:
    """The first core's caches and their sizes, the nearest first: `L1d 32K`."""
    found = []
    for folder in ROOT.glob("sys/devices/system/cpu/cpu0/cache/index*"):
        with suppress(OSError):  # a file that is missing, or may not be read
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
            found.append(f"L{level}{CACHE_KINDS.get(kind, '')} {size}")
    return sorted(found)


def read_all(files: str, pattern: str) -> list[str]:
    """What a pattern finds in the files that exist; their paths begin with a slash."""
    return [match for path in ROOT.glob(files[1:]) for match in re.findall(pattern, path.read_text())]


def git_commit() -> str:
    """Of the code, with a + where it was changed since; empty outside a repository."""
    where = ["git", "-C", str(Path(__file__).parent)]
    describe = ["describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run([*where, *describe], capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
