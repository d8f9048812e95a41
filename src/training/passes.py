"""Compiled passes over images: training on a chunk of them, and what a model says of each.

A chunk is what lies in memory at a time: all of a small data set. An epoch that is cut into chunks at whole batches
gives the bits of one that is not cut.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.data.dataset import Part

EVALUATED_AT_ONCE = 256  # images: whatever batches are trained with, so that results do not depend on these

Tensor = Any  # tf.Tensor
PerImage = Callable[[Tensor, Tensor], Tensor]  # targets N×classes, scores N×classes → loss of each


class Draw(NamedTuple):
    """All that chance may depend on, for the images of a batch."""

    seed: Tensor  # of the trial
    passes: Tensor  # in which pass over the data each image comes; the first is 1
    numbers: Tensor  # of each image in the data


Hook = Callable[[Tensor, Tensor, Draw], tuple[Tensor, Tensor]]  # images and targets of a batch → what is trained on


class Chunk(NamedTuple):
    """Images in memory, and in what order they are trained on."""

    x: Tensor  # n×H×W×C
    y: Tensor  # n labels
    rows: NDArray[np.int32]  # where each image that is trained on is in `x`
    passes: NDArray[np.int32]  # see Draw
    numbers: NDArray[np.int32]


class Results(NamedTuple):
    """What a pass says of N images, in its order: the likeliest class, and the loss."""

    predicted: NDArray[np.int32]
    losses: NDArray[np.float32]


def order_of(seed: int, number: int, count: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The images of an epoch in order, and the pass in which each comes.

    Images come in passes over all `count`, each in an order that follows from (seed, its number); an epoch is the next
    `size` of this stream.
    """
    passes, places = np.divmod(np.arange((number - 1) * size, number * size), count)
    orders = [np.random.default_rng((seed, one)).permutation(count)[places[passes == one]] for one in np.unique(passes)]
    return np.concatenate(orders).astype(np.int32), (passes + 1).astype(np.int32)


Step = Callable[[Tensor, Tensor, Draw], tuple[Tensor, Tensor]]  # a batch → predicted classes and losses, before it


def make_step(model: keras.Model, loss: PerImage, weights: Tensor | None, hooks: Sequence[Hook]) -> Step:
    """One step of training, to be compiled."""

    def step(x: Tensor, y: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        targets = tf.one_hot(y, model.outputs[0].shape[-1])
        for hook in hooks:
            x, targets = hook(x, targets, draw)
        with tf.GradientTape() as tape:
            scores = model(x, training=True)
            losses = loss(targets, scores)
            if weights is not None:
                losses *= tf.linalg.matvec(targets, weights)
            total = tf.add_n([tf.reduce_mean(losses), *model.losses])
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(total, variables), variables)
        return tf.argmax(scores, axis=1, output_type=tf.int32), losses

    return step


def compile_training(
    model: keras.Model, loss: PerImage, batch_size: int, weights: Tensor | None = None, hooks: Sequence[Hook] = ()
) -> Callable[[int, Chunk], Results]:
    """Seed and chunk → what the model said of each image when it was trained on.

    `weights` has one of each class, by which its images' losses are multiplied.
    """
    step = make_step(model, loss, weights, hooks)
    vector = tf.TensorSpec([None], tf.int32)
    images = tf.TensorSpec([None, *model.inputs[0].shape[1:]], model.inputs[0].dtype)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32), Chunk(images, vector, vector, vector, vector)])  # type: ignore[untyped-decorator]
    def run(seed: Tensor, chunk: Chunk) -> tuple[Tensor, Tensor]:
        count = tf.shape(chunk.rows)[0]
        steps = (count + batch_size - 1) // batch_size
        predicted = tf.TensorArray(tf.int32, steps, infer_shape=False, element_shape=[None])
        losses = tf.TensorArray(tf.float32, steps, infer_shape=False, element_shape=[None])
        for index in tf.range(steps):
            batch = slice(index * batch_size, (index + 1) * batch_size)
            rows = chunk.rows[batch]
            draw = Draw(seed, chunk.passes[batch], chunk.numbers[batch])
            classes, each = step(tf.gather(chunk.x, rows), tf.gather(chunk.y, rows), draw)
            predicted, losses = predicted.write(index, classes), losses.write(index, each)
        return predicted.concat(), losses.concat()

    return lambda seed, chunk: Results(*(found.numpy() for found in run(tf.constant(seed), chunk)))


def compile_evaluation(model: keras.Model, loss: PerImage) -> Callable[[Part], tuple[NDArray[np.float32], Results]]:
    """Images → the scores of each, N×classes, and what follows from them. Of no images, there is nothing."""
    num_classes = model.outputs[0].shape[-1]
    images = tf.TensorSpec([None, *model.inputs[0].shape[1:]], model.inputs[0].dtype)

    @tf.function(input_signature=[images, tf.TensorSpec([None], tf.int32)])  # type: ignore[untyped-decorator]
    def run(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        scores = model(x, training=False)
        return scores, loss(tf.one_hot(y, num_classes), scores)

    def evaluate(part: Part) -> tuple[NDArray[np.float32], Results]:
        starts = range(0, len(part), EVALUATED_AT_ONCE)
        ranges = [slice(start, start + EVALUATED_AT_ONCE) for start in starts]
        found = [[each.numpy() for each in run(part.x[one], part.y[one])] for one in ranges]
        scores, losses = (np.concatenate(kind) for kind in zip(*found, strict=True))
        return scores, Results(scores.argmax(axis=1).astype(np.int32), losses)

    return evaluate


def num_batches(images: int, batch_size: int) -> int:
    """Of so many images, the last one smaller."""
    return math.ceil(images / batch_size)
