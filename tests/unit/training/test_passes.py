"""An epoch is a stream of images, cut anywhere; its passes give what a model says of each image."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from src.data.dataset import Dataset, Part
from src.training.checkpoint import Best, copy_state
from src.training.engine import Engine
from src.training.passes import EVALUATED_AT_ONCE, Chunk, Draw, Hook, order_of
from tests.unit.examples import arrays, dataset, use_one_thread, write_npz
from tests.unit.training.test_loop import CNN, DNN, bits, job_of

use_one_thread()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """60 small images."""
    return dataset(write_npz(tmp_path_factory.mktemp("data") / "a.npz", **arrays()))


@pytest.mark.parametrize("size", [8, 22, 48, 96, 100])
def test_short_and_long_epochs(size: int) -> None:
    """Epochs of `size` images cut the same stream of images into other pieces: each pass has every image once."""
    stream = np.concatenate([order_of(7, number, 48, 48)[0] for number in range(1, 10)])
    pieces = [order_of(7, number, 48, size)[0] for number in range(1, 4)]
    assert [list(piece) for piece in pieces] == [list(stream[n * size : (n + 1) * size]) for n in range(3)]
    rows, passes = order_of(7, 2, 48, 48)
    assert sorted(rows) == list(range(48)) and set(passes) == {2}


def test_the_seed_and_the_pass_decide_the_order() -> None:
    """Another seed, or another pass, gives another order; the same gives the same."""
    orders = [tuple(order_of(seed, number, 48, 48)[0]) for seed in (1, 2) for number in (1, 2)]
    assert len(set(orders)) == 4 and tuple(order_of(1, 2, 48, 48)[0]) == orders[1]


def test_each_image_knows_its_pass() -> None:
    """Where an epoch lies in two passes, so many images of each."""
    rows, passes = order_of(7, 2, 10, 8)
    assert list(passes) == [1] * 2 + [2] * 6
    assert sorted(np.concatenate([order_of(7, 1, 10, 8)[0], rows[:2]])) == list(range(10))


def cut(part: Part, order: NDArray[np.int32], passes: NDArray[np.int32], size: int) -> Iterator[Chunk]:
    """An epoch as chunks of `size` images, copied aside."""
    for start in range(0, len(order), size):
        numbers = order[start : start + size]
        own = np.arange(len(numbers), dtype=np.int32)
        yield Chunk(part.x[numbers], part.y[numbers], own, passes[start : start + size], numbers)


@pytest.mark.parametrize("overrides", [CNN, (*DNN, "training.class_weights=balanced")], ids=["cnn", "weighted dnn"])
def test_an_epoch_in_chunks_gives_the_same_bits(data: Dataset, overrides: tuple[str, ...]) -> None:
    """Cut at whole batches, with each chunk's images copied aside, as without: state and what was said of each image."""
    job = job_of(*overrides, "training.batch_size=8", until=1)
    part, found = data.train, []
    for size in (len(part), 24, 8):
        engine = Engine.of(job, data)
        chunks = cut(part, *order_of(7, 1, len(part), len(part)), size)
        results = [engine.train_chunk(7, chunk) for chunk in chunks]
        said = {kind: np.concatenate([getattr(one, kind) for one in results]) for kind in ("predicted", "losses")}
        found.append(bits(said | copy_state(engine.model, Best({}, {}))))
    whole = Engine.of(job, data)
    whole.train_epoch(7, 1)
    assert found[0] == found[1] == found[2]
    assert bits(copy_state(whole.model, Best({}, {}))).items() <= found[0].items()


def test_hooks_see_seed_pass_and_number(data: Dataset) -> None:
    """A hook is told of each image what its chance may depend on, and what it returns is trained on."""
    seen: list[Any] = []

    def note(x: Any, targets: Any, draw: Draw) -> tuple[Any, Any]:
        tf.py_function(lambda *parts: seen.append([part.numpy().tolist() for part in parts]), [*draw], [])
        return x, targets

    Engine.of(job_of(*DNN, until=1), data, [note]).train_epoch(7, 2)
    rows, passes = order_of(7, 2, len(data.train), len(data.train))
    assert {batch[0] for batch in seen} == {7}
    assert [n for batch in seen for n in batch[1]] == list(passes)
    assert [n for batch in seen for n in batch[2]] == list(rows)


@pytest.mark.parametrize("hooks", [[lambda x, y, draw: (x * 0, y)], [lambda x, y, draw: (x, y * 0)]])
def test_what_hooks_return_is_trained_on(data: Dataset, hooks: Sequence[Hook]) -> None:
    """Changed images, or changed targets, lead to other weights."""
    states = []
    for chosen in ([], hooks):
        engine = Engine.of(job_of(*DNN, until=1), data, chosen)
        engine.train_epoch(7, 1)
        states.append(bits(copy_state(engine.model, Best({}, {}))))
    assert states[0] != states[1]


def test_a_very_long_epoch_is_no_large_graph(data: Dataset) -> None:
    """Passes are no part of the graph, so that an epoch of very many of them can be built as any other."""
    small = replace(data, train=Part(data.train.x[:2], data.train.y[:2]))
    engine = Engine.of(job_of(*DNN, "training.epoch_size=5000", until=1), small)
    assert len(order_of(7, 1, 2, 5000)[0]) == 5000 and engine.train_epoch(7, 1)["loss"] > 0


def test_evaluation_has_each_image(data: Dataset) -> None:
    """In order, whatever the batches: of many images what each has alone, to rounding; the loss is crossentropy."""
    times = EVALUATED_AT_ONCE // len(data.test) + 1
    many = Part(np.repeat(data.test.x, times, axis=0), np.repeat(data.test.y, times))
    engine = Engine.of(job_of(*DNN, until=1), data)
    scores, results = engine.evaluate(many)
    alone, _ = engine.evaluate(data.test)
    assert len(many) > EVALUATED_AT_ONCE and np.allclose(scores, np.repeat(alone, times, axis=0), rtol=1e-5)
    assert np.allclose(results.losses, -np.log(scores[np.arange(len(many)), many.y]), rtol=1e-5)
    assert list(results.predicted) == list(scores.argmax(axis=1))
