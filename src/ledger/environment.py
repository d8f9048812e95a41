"""What a trial's bits depend on besides its configuration: versions, processor, this project's own training code."""

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from src.ledger.history import History
from src.ledger.records import Invocation

TRIAL_CODE = "1"  # raised with each change after which an equal trial gives other bits
DECISIVE = ("tensorflow", "keras", "numpy", "device", "onednn", "trial_code")  # of a trial's bits
PROPOSING = ("keras-tuner", "optuna", "scikit-learn", "scipy")  # of the points that are proposed
PACKAGES = ("tensorflow", "keras", "numpy", *PROPOSING, "mlflow")


def describe() -> dict[str, str]:
    """Versions, device and git commit, as each invocation records them."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1")  # other kernels add up in another order
    here = {"device": device(), "onednn": onednn, "trial_code": TRIAL_CODE, "git": git_commit()}
    return {"python": sys.version.split()[0], **versions, **here}


def drift(history: History, here: dict[str, str]) -> str:
    """How this environment differs, in what decides points or bits, from the one in which the first epoch was trained."""
    first = first_training(history)
    then = first.environment if first else {}
    changed = [name for name in DECISIVE + PROPOSING if name in then and then[name] != here[name]]
    return ", ".join(f"{name} {then[name]} → {here[name]}" for name in changed)


def first_training(history: History) -> Invocation | None:
    """The invocation in which an epoch was first trained."""
    ended = [trial.epochs[0].ended for trial in history.trials if trial.epochs]
    return next((i for i in history.invocations if ended and i.ended >= min(ended)), None)


def device() -> str:
    """The GPU's or else the processor's model."""
    found = [*read_all("/proc/driver/nvidia/gpus/*/information", r"Model:\s*(.+)")]
    found = found or read_all("/proc/cpuinfo", r"model name\s*:\s*(.+)")
    return found[0].strip() if found else platform.processor() or platform.machine()


def read_all(files: str, pattern: str) -> list[str]:
    """What a pattern finds in the files that exist."""
    return [match for path in Path("/").glob(files.lstrip("/")) for match in re.findall(pattern, path.read_text())]


def git_commit() -> str:
    """Of the code, with a + where it was changed since; empty outside a repository."""
    where = ["git", "-C", str(Path(__file__).parent)]
    describe = ["describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run([*where, *describe], capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
