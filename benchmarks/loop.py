"""The loop one writes by hand: plain Keras as in its documents, all threads, nothing stored. `benchmarks.jobs` runs it.

    python -m benchmarks.loop dnn_128 images.npz --seeds 4 --epochs 4
    python -m benchmarks.loop cnn_grid images.npz --epochs 10          the 40 networks that can be built

The file has x_train, y_train, x_val and y_val. Prints each network's validation accuracy after its last epoch, the best
of them last. Nothing of this project is imported.
"""

import os
from collections.abc import Callable, Iterator
from itertools import product
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import typer
from keras import layers

Network = tuple[str, Callable[[], Any], int]  # name, how it is built, and its batch size


def main(
    case: Annotated[str, typer.Argument(help="One of the five documents' networks, or cnn_grid.")],
    images: Annotated[str, typer.Argument(help=".npz file of x_train, y_train, x_val, y_val.")],
    seeds: Annotated[int, typer.Option(help="How often each network is trained.")] = 1,
    epochs: Annotated[int, typer.Option(help="Of each training.")] = 10,
) -> None:
    """Train, and print accuracies."""
    with np.load(images) as arrays:
        x, y, x_val, y_val = (arrays[name] for name in ("x_train", "y_train", "x_val", "y_val"))
    x, x_val = x.astype("float32") / 255, x_val.astype("float32") / 255
    found = []
    for name, build, batch_size in grid() if case == "cnn_grid" else [NETWORKS[case]] * seeds:
        keras.backend.clear_session()
        try:
            model = build()
        except ValueError:  # it cannot be built: its images get too small
            continue
        history = model.fit(x, y, batch_size=batch_size, epochs=epochs, validation_data=(x_val, y_val), verbose=0)
        found.append(history.history["val_accuracy"][-1])
        print(f"{name} {found[-1]:.4f}", flush=True)
    print(f"best {max(found):.4f} mean {np.mean(found):.4f}")


def compiled(*stack: Any, logits: bool = False) -> Any:
    """A network of these layers, with the documents' loss, optimizer and metric."""
    model = keras.Sequential([keras.Input((28, 28, 1)), *stack])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


def dnn_128() -> Any:
    """One dense layer."""
    return compiled(layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10, "softmax"))


def dnn_dropout() -> Any:
    """Three dense layers with dropout before and between them."""
    hidden = [layers.Dropout(0.1), layers.Dense(1024, "relu"), layers.Dropout(0.1), layers.Dense(512, "relu")]
    return compiled(
        layers.Flatten(), *hidden, layers.Dropout(0.1), layers.Dense(256, "relu"), layers.Dense(10, "softmax")
    )


def cnn_5x5() -> Any:
    """Two 5×5 convolutions."""
    return compiled(
        *(layers.Conv2D(16, 5, padding="same", activation="relu"), layers.MaxPooling2D(2)),
        *(layers.Conv2D(32, 5, padding="same", activation="relu"), layers.MaxPooling2D(2)),
        *(layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10, "softmax")),
    )


def lenet() -> Any:
    """Two 3×3 convolutions, with logits as output."""
    return compiled(
        *(layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2)),
        *(layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2)),
        *(layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(10)),
        logits=True,
    )


def blocks(count: int, filters: int, kernel: int, pool: int, dense: list[int], growth: int = 1) -> Any:
    """Blocks of two convolutions and a pooling, then dense layers. Raises ValueError where images get too small."""
    stack = []
    for block in range(count):
        stack += [layers.Conv2D(filters * growth**block, kernel, padding="same", activation="relu")]
        stack += [layers.Conv2D(filters * growth**block, kernel, activation="relu"), layers.MaxPooling2D(pool)]
    return compiled(*stack, layers.Flatten(), *(layers.Dense(n, "relu") for n in dense), layers.Dense(10, "softmax"))


def grid() -> Iterator[Network]:
    """The 64 networks of the study, in its order."""
    space = {"blocks": (2, 3), "filters": (32, 64), "kernel": (3, 5), "pool": (2, 3), "layers": (1, 2)}
    for count, filters, kernel, pool, num_layers, units in product(*space.values(), (256, 512)):
        point = f"{count} {filters} {kernel} {pool} {num_layers} {units}"
        values = (count, filters, kernel, pool, [units] * num_layers)
        yield point, lambda values=values: blocks(*values), 64  # type: ignore[misc]


NETWORKS: dict[str, Network] = {
    "dnn_128": ("dnn_128", dnn_128, 32),
    "dnn_dropout": ("dnn_dropout", dnn_dropout, 512),
    "cnn_5x5": ("cnn_5x5", cnn_5x5, 32),
    "lenet": ("lenet", lenet, 32),
    "cnn_double_conv": ("cnn_double_conv", lambda: blocks(2, 32, 3, 2, [512], growth=2), 64),
}


if __name__ == "__main__":
    typer.run(main)
