"""What processes of a sweep have in common, imported once: by the server from which they are forked.

A fork has only the thread that forked, so nothing here may start a thread or compute with TensorFlow. The server dies
with its coordinator, and its processes with it.
"""

import gc
import os
import sys

from src.base.processes import die_with_parent, redirect_output

UNUSED = ("matplotlib", "pandas", "sklearn")  # Keras imports them where they are there, for what we never call

die_with_parent()
redirect_output(os.devnull)  # else it would hold a pipe open to which the command writes
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy's library starts threads as it is imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

sys.modules |= dict.fromkeys(UNUSED)  # type: ignore[arg-type]
import src.training.export  # noqa: E402
import src.training.loop  # noqa: E402

for name in UNUSED:
    del sys.modules[name]

import src.config.compose  # noqa: E402, what each process imports with the command's own module
import src.data.likeness  # noqa: E402
import src.data.load  # noqa: E402
import src.ledger.files  # noqa: E402, F401

gc.freeze()  # collections need not look through it, which would also copy its pages
