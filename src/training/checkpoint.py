"""All that a trial goes on from, as arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import keras
import numpy as np

from src.ledger.files import Arrays


def copy_weights(model: keras.Model) -> Arrays:
    """The weights by their names, as they are dumped: `block1_conv1/kernel`."""
    return {weight.path: np.array(weight) for weight in model.weights}


def set_weights(model: keras.Model, weights: Arrays) -> None:
    """Give a model the weights of these names."""
    for variable in model.weights:
        variable.assign(weights[variable.path])


@contextmanager
def lent_weights(model: keras.Model, weights: Arrays) -> Iterator[None]:
    """Give a model other weights for a while."""
    own = copy_weights(model)
    set_weights(model, weights)
    try:
        yield
    finally:
        set_weights(model, own)


class Best(NamedTuple):
    """The best epoch of a trial: its weights, and what is kept of each validation image; {} of none."""

    weights: Arrays
    images: Arrays


def copy_state(model: keras.Model, best: Best) -> Arrays:
    """All that a trial goes on from."""
    state = {f"model/{index}": np.array(variable) for index, variable in enumerate(model.variables)}
    state |= {f"optimizer/{index}": np.array(variable) for index, variable in enumerate(model.optimizer.variables)}
    state |= {f"best/{name}": array for name, array in best.weights.items()}
    return state | {f"images/{name}": array for name, array in best.images.items()}


def read_state(model: keras.Model, state: Arrays) -> Best:
    """Put a state into a model; returns the best epoch."""
    for kind, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
        for index, variable in enumerate(variables):
            variable.assign(state[f"{kind}/{index}"])
    return Best(of_kind(state, "best/"), of_kind(state, "images/"))


def of_kind(state: Arrays, kind: str) -> Arrays:
    """The arrays whose names begin so, without that."""
    return {name.removeprefix(kind): array for name, array in state.items() if name.startswith(kind)}
