"""What is imported once, for processes that are forked later."""

import json
import subprocess
import sys

from tests.functional.conftest import PROJECT

ALLOCATOR = "jemalloc_bg_thd"  # a thread of TensorFlow's allocator, which minds forks
SCRIPT = """
import json, os
out = os.dup(1)
import src.training.preload
from tensorflow.python.eager import context
threads = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
has_computed = bool(context.context_safe() and context.context()._initialized)
import matplotlib.pyplot, pandas, sklearn
os.write(out, json.dumps([threads, has_computed]).encode())
"""


def test_safe_to_fork() -> None:
    """It starts no thread and computes nothing; what it left out can be imported afterwards."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=PROJECT, capture_output=True, text=True)
    threads, has_computed = json.loads(done.stdout)
    assert len([name for name in threads if name != ALLOCATOR]) == 1 and not has_computed
