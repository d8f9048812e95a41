"""What is to be known of a model travels in its file, and a network of images is told from other models."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from src.base.errors import UserError
from src.data.likeness import facts_of
from src.execution.worker import Worker
from src.ledger.files import read_file, write_arrays
from src.ledger.jobs import EvaluateJob
from src.training.engine import input_spec
from src.training.export import (
    FACTS,
    Network,
    classify,
    load_model,
    load_network,
    prepare_images,
    read_facts,
    save_model,
)
from src.training.network import build_network
from tests.unit.examples import config, dataset, use_one_thread, write_npz

use_one_thread()
DIGITS = {"preprocessing": "digits"}


def network(name: str = "image", dtype: str = "uint8", bias: float = 0.0) -> Any:
    """A model of 8×8 images and three classes."""
    inputs = keras.Input((8, 8, 1), dtype=dtype, name=name)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    initial = keras.initializers.Constant(0.01), keras.initializers.Constant(bias)
    layer = keras.layers.Dense(3, activation="softmax", kernel_initializer=initial[0], bias_initializer=initial[1])
    return keras.Model(inputs, layer(x), name="mine")


# ------------------------------------------------------------------------------------ facts in files


@pytest.mark.parametrize("facts", [DIGITS, {}, {"preprocessing": "resize", "classes": ["Müller", "→"]}])
def test_facts_come_back(tmp_path: Path, facts: dict[str, Any]) -> None:
    """What is saved with a model is read as it was, without loading the model."""
    save_model(network(), tmp_path / "a.keras", facts)
    assert read_facts(tmp_path / "a.keras") == facts


def test_keras_loads_a_model_with_facts(tmp_path: Path) -> None:
    """To Keras it is a model like any other, with the same weights."""
    model = network(bias=0.5)
    save_model(model, tmp_path / "a.keras", DIGITS)
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    assert again.inputs[0].name == "image" and again.name == "mine"


def test_the_rest_of_the_file_is_as_keras_writes_it(tmp_path: Path) -> None:
    """Facts add one member to the zip file, which does not depend on when it was written."""
    model = network()
    model.save(tmp_path / "plain.keras")
    save_model(model, tmp_path / "facts.keras", DIGITS)
    with zipfile.ZipFile(tmp_path / "plain.keras") as plain, zipfile.ZipFile(tmp_path / "facts.keras") as added:
        assert added.namelist() == [*plain.namelist(), "sweep.json"] and added.testzip() is None
        dated = "metadata.json"  # when it was saved
        assert all(added.read(name) == plain.read(name) for name in plain.namelist() if name != dated)
        assert added.read("sweep.json") == b'{"preprocessing": "digits"}'
        assert added.getinfo("sweep.json").date_time == (1980, 1, 1, 0, 0, 0)


def test_a_file_without_facts(tmp_path: Path) -> None:
    """Models of earlier versions, and of other programs, have none."""
    network().save(tmp_path / "a.keras")
    assert read_facts(tmp_path / "a.keras") == {}


@pytest.mark.parametrize("content", [b"[1, 2]", b'"digits"', b"null"])
def test_facts_of_another_kind(tmp_path: Path, content: bytes) -> None:
    """A member of that name that someone else has put there says nothing."""
    network().save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras", "a") as archive:
        archive.writestr(FACTS, content)
    assert read_facts(tmp_path / "a.keras") == {}


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe"])
def test_facts_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    """They are named: images prepared in another way would be taken for something else."""
    network().save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras", "a") as archive:
        archive.writestr(FACTS, content)
    with pytest.raises(UserError, match=r"a.keras: sweep.json in it cannot be read"):
        read_facts(tmp_path / "a.keras")


def test_facts_of_a_damaged_file(tmp_path: Path) -> None:
    """A byte that has changed is found by the file's own checksum."""
    save_model(network(), tmp_path / "a.keras", DIGITS)
    content = (tmp_path / "a.keras").read_bytes()
    (tmp_path / "a.keras").write_bytes(content.replace(b'"digits"', b'"resize"'))
    with pytest.raises(UserError, match=r"sweep\.json in it cannot be read"):
        read_facts(tmp_path / "a.keras")


# --------------------------------------------------------------------------------------- preparation


@pytest.mark.parametrize(
    ("facts", "name", "way"),
    [
        ({"preprocessing": "threshold"}, "image", "threshold"),
        ({"preprocessing": "resize"}, "image_digits", "resize"),
        ({}, "image_digits", "digits"),  # of earlier versions, whose input says it
        ({}, "image_threshold", "threshold"),
        ({}, "image_resize", "resize"),
        ({"classes": ["a", "b", "c"]}, "image_digits", "digits"),
        ({}, "image", "resize"),
        ({}, "pixels", "resize"),
        ({}, "image_other", "resize"),
        ({"preprocessing": "other"}, "image_digits", "resize"),  # of a later version
        ({"preprocessing": "auto"}, "image_digits", "resize"),  # nothing was decided
        ({"preprocessing": ["digits"]}, "image", "resize"),
    ],
)
def test_how_image_files_are_prepared(facts: dict[str, Any], name: str, way: str) -> None:
    """The facts say it; where they do not, the input's name, as in models of earlier versions; else they are resized."""
    assert Network(network(name), facts).preprocessing == way


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_a_network_takes(tmp_path: Path, dtype: str) -> None:
    """Images of its shape and type; an empty page is none."""
    found = Network(network(dtype=dtype), DIGITS)
    assert found.shape == (8, 8, 1) and found.dtype == dtype
    bar, empty = Image.new("RGB", (60, 60), "white"), Image.new("L", (60, 60), 200)
    bar.paste("black", (25, 5, 35, 55))
    first, second = prepare_images(found, [bar, empty])
    assert first is not None and first.shape == (8, 8, 1) and str(first.dtype) == dtype and second is None
    dark, light = first[4, 0, 0], first[4, 4, 0]
    assert light > dark, "ink is light, as in the digits of MNIST"
    (other, _) = prepare_images(found, [bar, empty], "resize")
    assert other is not None and other[4, 0, 0] > other[4, 4, 0], "another way is taken if it is asked for"


@pytest.mark.parametrize(
    ("dtype", "pixels", "wanted"),
    [
        ("uint8", [0, 255], (0, 255)),
        ("uint8", [3, 200], (0, 255)),
        ("uint8", [0, 16], (0, 16)),
        ("float32", [0.0, 0.98], (0, 1)),
        ("float32", [0.0, 255.0], (0, 255)),
        ("float32", [-0.42, 2.82], (-0.42, 2.82)),
        ("float32", None, (0, 1)),
    ],
)
def test_pixels_are_in_the_units_of_the_training_images(
    dtype: str, pixels: list[float] | None, wanted: tuple[float, float]
) -> None:
    """Black and white are what they were in training, where that is clearly not 0 and 255, or 0 and 1 of floats."""
    page = Image.new("L", (8, 8), "black")
    page.paste("white", (0, 0, 4, 8))
    images = {"pixels": pixels, "brightness": [0, 1], "ink": [0, 1]}
    (seen,) = prepare_images(Network(network(dtype=dtype), {"images": images} if pixels else {}), [page], "resize")
    assert seen is not None and seen.dtype == dtype and (seen.min(), seen.max()) == pytest.approx(wanted)


def test_a_network_without_numbers() -> None:
    """A model whose training has failed is named, and says nothing of images."""
    images = [np.zeros((8, 8, 1), np.uint8)] * 2
    probabilities = classify(Network(network(), {}), images)
    assert probabilities.shape == (2, 3) and probabilities.sum(axis=1) == pytest.approx([1, 1])
    with pytest.raises(UserError, match="mine gives no numbers for these images"):
        classify(Network(network(bias=float("nan")), {}), images, "mine")


# ------------------------------------------------------------------------------------------- loading


def test_a_network_has_the_facts_of_its_file(tmp_path: Path) -> None:
    """Others take their place if they are given, as of a model from MLflow."""
    save_model(network(), tmp_path / "a.keras", DIGITS)
    assert load_network(tmp_path / "a.keras").facts == DIGITS
    assert load_network(tmp_path / "a.keras", {}).facts == DIGITS
    other = {"preprocessing": "threshold"}
    assert load_network(tmp_path / "a.keras", other).facts == other


def test_what_is_no_model(tmp_path: Path) -> None:
    """A file that is missing, of another kind, or a zip file without a model is told in a sentence."""
    (tmp_path / "text.keras").write_text("no model")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr(FACTS, json.dumps(DIGITS))
    with pytest.raises(UserError, match=r"none.keras: there is no such file"):
        load_network(tmp_path / "none.keras")
    with pytest.raises(UserError, match=r"text.keras is no Keras model"):
        load_model(tmp_path / "text.keras")
    with pytest.raises(UserError, match=r"zip.keras cannot be loaded as a Keras model"):
        load_model(tmp_path / "zip.keras")


def model_between(shape: tuple[int | None, ...], *outputs: int) -> Any:
    """A model from images of a shape to one or more dense layers."""
    inputs = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling2D()(inputs) if len(shape) == 3 else inputs
    return keras.Model(inputs, [keras.layers.Dense(units)(x) for units in outputs])


@pytest.mark.parametrize(
    ("shape", "outputs", "reason"),
    [
        ((None, None, 1), (3,), "does not take images of one size"),
        ((8, 8, 5), (3,), "does not take images of one size"),
        ((30,), (3,), "does not take images of one size"),
        ((8, 8, 1), (1,), "does not give one score for each of some classes"),
        ((8, 8, 1), (3, 3), "does not give one score for each of some classes"),
    ],
)
def test_models_of_something_else(
    tmp_path: Path, shape: tuple[int | None, ...], outputs: tuple[int, ...], reason: str
) -> None:
    """What does not take images of one size, or does not tell classes apart, is refused by name."""
    model_between(shape, *outputs).save(tmp_path / "a.keras")
    with pytest.raises(UserError, match=f"a.keras: this model {reason}"):
        load_network(tmp_path / "a.keras")


# -------------------------------------------------------------------------------------- from a worker


def test_a_worker_writes_the_facts_of_its_data(tmp_path: Path) -> None:
    """The model that an evaluation leaves is for inference, predicts what was stored, and knows its preparation."""
    data = dataset(write_npz(tmp_path / "data.npz"), "data.preprocessing=threshold")
    chosen = config("architecture=dnn", "architecture.units=[4]")
    model = build_network(chosen.trial, input_spec(data), 1)
    weights = write_arrays(tmp_path, "checkpoints/1-best.npz", {one.path: one.numpy() for one in model.weights})
    worker = Worker(None, chosen, tmp_path, data)  # type: ignore[arg-type]
    evaluation = worker.evaluate(EvaluateJob(1, 2, chosen.trial, weights))
    assert (
        evaluation.model and evaluation.model.path == "models/00001-2.keras" and read_file(tmp_path, evaluation.model)
    )
    found = load_network(tmp_path / evaluation.model.path)
    assert found.facts == facts_of(data) and found.preprocessing == "threshold"
    assert found.model.inputs[0].name == "image" and not found.model.compiled
    assert evaluation.predictions
    with np.load(tmp_path / evaluation.predictions.path) as stored:
        np.testing.assert_array_equal(classify(found, list(data.test.x)), stored["probabilities"])
