"""The loop one writes by hand over the tutorials' grid: build, `Model.fit`, next. For comparison with a sweep.

    python -m benchmarks.loop                                             40 trials of one epoch
    time python -m src.sweep search=cnn_grid training.epochs=1 search.reuse=false name=beside-the-loop

The loop has all threads and Keras' defaults, skips what cannot be built, and stores nothing; the sweep
does all its work (checks, ledger, checkpoints, MLflow). Prints the loop's seconds, imports included.
"""

import os
import time

START = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from benchmarks.documents import configure
from src.data.load import load
from src.search.problem import SearchProblem
from src.search.proposals import describe
from src.training.loop import input_spec
from src.training.network import InfeasibleError, build


def main() -> None:
    """Train every point of the grid that can be built, for one epoch."""
    config = configure(["search=cnn_grid", "training.epochs=1"])
    data, problem, trained = load(config.data), SearchProblem.of(config), 0
    for number, values in enumerate(problem.space.grid, 1):
        point = describe(problem, number, values, {})
        if point.configuration is None:
            continue
        keras.backend.clear_session()
        try:
            model = build(point.configuration, input_spec(data), 1, 1, 1)
        except InfeasibleError:
            continue
        validation = (data.validation.x, data.validation.y)
        model.fit(data.train.x, data.train.y, batch_size=64, validation_data=validation, verbose=0)
        trained += 1
        print(f"{trained} trials, {time.perf_counter() - START:.0f} s", flush=True)


if __name__ == "__main__":
    main()
