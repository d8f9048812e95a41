"""Image files are told apart by a model, and whatever is wrong with a file or a model is said."""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from src.config.command_line import run_reading
from src.ledger.database import Ledger
from src.ledger.events import EpochEnded, Finished, Started
from src.ledger.files import write_file
from src.ledger.objective import ACCURACY
from src.ledger.records import Evaluation, Point, PointState, Role, Trial
from src.ledger.sweep_folder import create_or_check
from src.predict import main
from src.tracking.store import choose_store, set_environment, store_uri
from src.training.export import save_model
from tests.unit.examples import config, epoch, file, use_one_thread

use_one_thread()
FLAT, UPRIGHT, OTHER = 0, 1, 2  # the classes of the models here


# ------------------------------------------------------------------------------------ what it is given


def network(name: str = "image_digits", dtype: str = "uint8", channels: int = 1, head: str = "softmax") -> Any:
    """A model of 28×28 images: is there more light in the middle rows or in the middle columns?"""
    rows, columns = np.zeros((28, 28, channels)), np.zeros((28, 28, channels))
    rows[12:16], columns[:, 12:16] = 0.05, 0.05
    inputs = keras.Input((28, 28, channels), dtype=dtype, name=name)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255 if dtype == "uint8" else 1.0)(inputs))
    kernel = np.stack([rows.ravel(), columns.ravel(), np.zeros(28 * 28 * channels)], axis=1)
    layer = keras.layers.Dense(3, activation=None if head == "logits" else head)
    model = keras.Model(inputs, layer(x))
    layer.set_weights([kernel, np.zeros(3)])
    return model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, and of files that are none."""
    folder = tmp_path_factory.mktemp("models")
    network().save(folder / "digits.keras")
    network(head="logits").save(folder / "logits.keras")
    network("pixels").save(folder / "plain.keras")
    save_model(network("image"), folder / "facts.keras", {"preprocessing": "digits"})
    save_model(network("image_digits"), folder / "resized.keras", {"preprocessing": "resize"})
    network("image_digits", "float32").save(folder / "floats.keras")
    network("image_resize", "uint8", 3).save(folder / "colours.keras")
    for name, shape in {"numbers": (30,), "any size": (None, None, 1), "no channels": (28, 28)}.items():
        inputs = keras.Input(shape)
        keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs)).save(folder / f"{name}.keras")
    pair = [keras.Input((28, 28, 1)), keras.Input((28, 28, 1))]
    keras.Model(pair, keras.layers.Flatten()(keras.layers.Add()(pair))).save(folder / "pair.keras")
    (folder / "text.keras").write_text("no model\n")
    (folder / "empty.keras").touch()
    (folder / "cut.keras").write_bytes((folder / "digits.keras").read_bytes()[:3000])
    return folder


def bar(path: Path, label: int, mode: str = "L", paper: int = 255, ink: int = 0) -> Path:
    """An image file of a bar that lies or stands, in the middle of its page."""
    image = Image.new("L", (140, 140), paper)
    image.paste(ink, (20, 60, 120, 80) if label == FLAT else (60, 20, 80, 120))
    image.convert(mode).save(path)
    return path


@pytest.fixture
def predict(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Predict":
    """`python -m src.predict`, in this process and the test's folder."""
    monkeypatch.chdir(tmp_path)
    return Predict(models, monkeypatch, capsys)


class Predict:
    """Runs the entry as a shell does: exit code, standard output, standard error."""

    def __init__(self, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.models, self.monkeypatch, self.capsys = models, monkeypatch, capsys

    def __call__(self, *arguments: Path | str, model: str | None = "digits.keras") -> tuple[int, str, str]:
        chosen = ["--model", str(self.models / model)] if model else []
        self.monkeypatch.setattr(sys, "argv", ["predict", *map(str, arguments), *chosen])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            run_reading(main)
        out, err = self.capsys.readouterr()
        return int(end.value.code or 0), out, err

    def json(self, *arguments: Path | str, model: str | None = "digits.keras") -> list[dict[str, Any]]:
        """What it prints as JSON, where nothing is wrong."""
        code, out, err = self(*arguments, "--format", "json", model=model)
        assert code == 0 and (not err if model else err.startswith("model: ") and err.count("\n") == 1)
        found = json.loads(out)
        assert isinstance(found, list)
        return found

    def classes(self, *arguments: Path | str, model: str | None = "digits.keras") -> list[int]:
        """The class of each image."""
        return [one["class"] for one in self.json(*arguments, model=model)]


# ------------------------------------------------------------------------------------- what it says


def test_json_says_what_the_model_says(predict: Predict, tmp_path: Path) -> None:
    """A list in the order of the files: file, class, probability and the runner-up's."""
    paths = [bar(tmp_path / "1.png", UPRIGHT), bar(tmp_path / "2.jpg", FLAT), bar(tmp_path / "3.gif", UPRIGHT)]
    found = predict.json(*paths)
    assert [one["file"] for one in found] == [str(path) for path in paths]
    assert [one["class"] for one in found] == [UPRIGHT, FLAT, UPRIGHT]
    assert [one["runner_up"] for one in found] == [FLAT, UPRIGHT, FLAT]
    for one in found:
        assert list(one) == ["file", "class", "probability", "runner_up", "runner_up_probability"]
        assert 1 >= one["probability"] > one["runner_up_probability"] > 0
        assert one["probability"] + one["runner_up_probability"] <= 1


def test_probabilities_are_the_softmax_of_logits(predict: Predict, tmp_path: Path) -> None:
    """A model that ends in logits says the same as one that ends in their softmax."""
    paths = [bar(tmp_path / "1.png", UPRIGHT), bar(tmp_path / "2.png", FLAT)]
    for a, b in zip(predict.json(*paths), predict.json(*paths, model="logits.keras"), strict=True):
        assert a["probability"] == pytest.approx(b["probability"], abs=2e-6)
        assert (a["class"], a["runner_up"]) == (b["class"], b["runner_up"])


def test_a_table_is_printed(predict: Predict, tmp_path: Path) -> None:
    """Without --format a line an image, whatever its name is made of."""
    paths = [bar(tmp_path / "[red]1.png", UPRIGHT), bar(tmp_path / "zwei drei.png", FLAT)]
    (wanted, _) = predict.json(paths[0].name, paths[1].name)
    code, out, err = predict(paths[0].name, paths[1].name)
    heading, first, second = out.splitlines()
    assert (code, err) == (0, "") and heading.split() == ["file", "class", "probability", "runner-up", "probability"]
    shares = f"{wanted['probability']:.1%}", f"{wanted['runner_up_probability']:.1%}"
    assert first.split() == ["[red]1.png", "1", shares[0], "0", shares[1]]
    assert second.split()[:3] == ["zwei", "drei.png", "0"]


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255), (200, 90)])
@pytest.mark.parametrize("label", [FLAT, UPRIGHT])
@pytest.mark.parametrize("model", ["facts.keras", "digits.keras"])
def test_the_models_own_preparation(
    predict: Predict, tmp_path: Path, model: str, label: int, paper: int, ink: int
) -> None:
    """A model that says how its images were prepared, or whose input's name does, finds dark and light ink alike."""
    assert predict.classes(bar(tmp_path / "a.png", label, "RGB", paper, ink), model=model) == [label]


def test_another_preparation(predict: Predict, tmp_path: Path) -> None:
    """A model that says nothing gets images only resized, unless asked otherwise; the option comes before its own."""
    path = bar(tmp_path / "a.png", FLAT)
    assert predict.classes(path, model="plain.keras") == [UPRIGHT]  # dark in the middle rows, as it is
    assert predict.classes(path, "--preprocessing", "digits", model="plain.keras") == [FLAT]
    assert predict.classes(path, "--preprocessing", "threshold", model="plain.keras") == [FLAT]
    assert predict.classes(path, "--preprocessing", "resize") == [UPRIGHT]


def test_what_comes_first(predict: Predict, tmp_path: Path) -> None:
    """The option comes before the model's facts, and these before its input's name."""
    path = bar(tmp_path / "a.png", FLAT)
    assert predict.classes(path, model="facts.keras") == [FLAT]
    assert predict.classes(path, "--preprocessing", "resize", model="facts.keras") == [UPRIGHT]
    assert predict.classes(path, model="resized.keras") == [UPRIGHT]
    assert predict.classes(path, "--preprocessing", "digits", model="resized.keras") == [FLAT]


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
@pytest.mark.parametrize("model", ["digits.keras", "floats.keras"])
def test_bytes_and_floats(predict: Predict, tmp_path: Path, model: str, mode: str) -> None:
    """Models of bytes and of floats from 0 to 1 see the same in images of any mode."""
    paths = [bar(tmp_path / f"{label}.png", label, mode) for label in (FLAT, UPRIGHT)]
    found = predict.json(*paths, model=model)
    assert [one["class"] for one in found] == [FLAT, UPRIGHT]
    for one, wanted in zip(found, predict.json(*paths), strict=True):
        assert one["probability"] == pytest.approx(wanted["probability"], abs=1e-4)


def test_colours(predict: Predict, tmp_path: Path) -> None:
    """A model of colour images gets three channels, of grey files too."""
    paths = [bar(tmp_path / f"{label}{mode}.png", label, mode, 0, 255) for label in (0, 1) for mode in ("L", "RGB")]
    assert predict.classes(*paths, model="colours.keras") == [FLAT, FLAT, UPRIGHT, UPRIGHT]


# ------------------------------------------------------------------------------------------ warnings

MNIST = {"pixels": [0, 255], "brightness": [0.03, 0.3], "ink": [0.03, 0.3]}  # what its images are like


def test_a_file_that_is_unlike_the_training_images(predict: Predict, tmp_path: Path) -> None:
    """Dark ink on paper that is only resized for a model of light digits is told by name, with what to try; the answer
    is given all the same."""
    save_model(network("image"), predict.models / "known.keras", {"preprocessing": "resize", "images": MNIST})
    dark, light = bar(tmp_path / "dark.png", UPRIGHT), bar(tmp_path / "light.png", UPRIGHT, paper=0, ink=255)
    code, out, err = predict(dark, light, "--format", "json", model="known.keras")
    assert code == 0 and [one["class"] for one in json.loads(out)] == [FLAT, UPRIGHT]
    assert err == (
        f"warning: {dark} looks unlike the training images: its mean brightness is 0.90, theirs 0.03 to 0.30. "
        "It was prepared by resize: try --preprocessing digits or --preprocessing threshold.\n"
    )
    assert predict.classes(dark, light, "--preprocessing", "digits", model="known.keras") == [UPRIGHT, UPRIGHT]


# ------------------------------------------------------------------------------------------- skipped


def test_files_that_are_skipped(predict: Predict, tmp_path: Path) -> None:
    """What is missing, no image or empty is named on standard error, the rest is told, and the exit code is 1."""
    (tmp_path / "text.png").write_text("no image")
    Image.new("L", (90, 90), 200).save(tmp_path / "empty.png")
    found = bar(tmp_path / "found.png", UPRIGHT)
    names = ["missing.png", "text.png", "found.png", "empty.png", "."]
    code, out, err = predict(*names, "--format", "json")
    assert code == 1 and [one["file"] for one in json.loads(out)] == [found.name]
    said = err.splitlines()
    assert len(said) == 4 and all(line.startswith("skipped: ") for line in said)
    for name, reason in {"missing.png": "no such file", "text.png": "no image", "empty.png": "page is empty"}.items():
        assert sum(f"{name}: " in line and reason in line for line in said) == 1
    code, out, err = predict(*names)
    assert code == 1 and "found.png" in out and len(out.splitlines()) == 2 and err.splitlines() == said


@pytest.mark.parametrize("picture", [(), ("--picture", "seen.png")])
def test_nothing_is_left(predict: Predict, tmp_path: Path, picture: tuple[str, ...]) -> None:
    """Where every file is skipped JSON is an empty list, no table and no picture is made, and the exit code is 1."""
    Image.new("L", (90, 90), 200).save(tmp_path / "empty.png")
    for name in ("empty.png", "missing.png"):
        assert predict(name, "--format", "json", *picture)[:2] == (1, "[]\n")
        assert predict(name, *picture)[:2] == (1, "")
    assert not (tmp_path / "seen.png").exists()


# ------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("count", [1, 3])
def test_a_picture(predict: Predict, tmp_path: Path, count: int) -> None:
    """--picture draws what the network saw, and says where."""
    paths = [bar(tmp_path / f"{number}.png", number % 2) for number in range(count)]
    code, out, err = predict(*paths, "--picture", "seen.png", "--format", "json")
    assert code == 0 and len(json.loads(out)) == count and err == "drawn: seen.png\n"
    with Image.open(tmp_path / "seen.png") as picture:
        picture.load()
        assert picture.format == "PNG" and min(picture.size) > 100


@pytest.mark.parametrize("picture", ["seen", "seen.words", "folder/"])
def test_a_picture_that_is_no_png(predict: Predict, tmp_path: Path, picture: str) -> None:
    """A picture's name ends in .png, which is said before anything is loaded."""
    code, out, err = predict(bar(tmp_path / "a.png", UPRIGHT), "--picture", picture)
    assert code == 2 and not out and "ends in .png" in err


@pytest.mark.parametrize(("picture", "reason"), [("nowhere/seen.png", "No such file or directory")])
def test_a_picture_that_cannot_be_written(predict: Predict, tmp_path: Path, picture: str, reason: str) -> None:
    """A path that cannot be written is named, after the answers."""
    code, out, err = predict(bar(tmp_path / "a.png", UPRIGHT), "--picture", picture, "--format", "json")
    assert code == 2 and json.loads(out)[0]["class"] == UPRIGHT
    assert err.startswith(f"error: --picture {picture} cannot be written: ") and reason in err


# --------------------------------------------------------------------------------------------- models


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("missing.keras", "there is no such file"),
        ("text.keras", "is no Keras model"),
        ("empty.keras", "is no Keras model"),
        ("cut.keras", "is no Keras model"),
        ("numbers.keras", "does not take images of one size"),
        ("any size.keras", "does not take images of one size"),
        ("no channels.keras", "does not take images of one size"),
        ("pair.keras", "does not take images of one size"),
    ],
)
def test_models_that_cannot_be_used(predict: Predict, tmp_path: Path, model: str, reason: str) -> None:
    """A file that is no model of images is named with what is wrong, in one line, and the exit code is 2."""
    code, out, err = predict(bar(tmp_path / "a.png", FLAT), model=model)
    assert (code, out) == (2, "") and err.startswith("error: ") and len(err.splitlines()) == 1
    assert model in err and reason in err


def test_without_arguments(predict: Predict) -> None:
    """No image is a mistake in the command."""
    code, out, err = predict(model=None)
    assert (code, out) == (2, "") and "image" in err


# --------------------------------------------------------------------------------------------- sweeps


def finished_sweep(folder: Path, name: str, with_model: bool = True) -> Path:
    """A sweep of one trial whose winner was evaluated, as the session leaves it."""
    chosen = config(f"paths.sweeps={folder}", "search=single")
    path = folder / name
    create_or_check(path, chosen, "digest")
    ledger = Ledger.open(path, ACCURACY)
    ledger.save(Point(1, {}, chosen.trial, PointState.FEASIBLE))
    ledger.save(Trial(1, 1, Role.SEARCH, 0, 7))
    for event in (Started(1, 1), EpochEnded(1, epoch(1), None), Finished(1, file("1-best"))):
        ledger.save(event)
    facts = {"preprocessing": "digits"}
    model = (
        write_file(path, "models/1.keras", lambda at: save_model(network("image"), at, facts)) if with_model else None
    )
    ledger.save(Evaluation(1, 1, 0.1, 0.9, 2.0, None, model))
    ledger.close()
    return path


def test_the_winner_of_a_sweep(predict: Predict, tmp_path: Path) -> None:
    """The latest sweep's model is used without being named; any sweep's by its name or the beginning of it."""
    finished_sweep(tmp_path / "sweeps", "mine")
    path = bar(tmp_path / "a.png", UPRIGHT)
    assert predict.classes(path, model=None) == [UPRIGHT]
    assert predict.classes(path, "--model", "mi", model=None) == [UPRIGHT]
    assert predict.classes(path, "--model", "sweeps/mine/", model=None) == [UPRIGHT]  # as a shell completes it
    (tmp_path / "sweeps").rename(tmp_path / "elsewhere")
    assert predict.classes(path, "--sweeps", "elsewhere", "--model", "mine", model=None) == [UPRIGHT]


def test_a_sweep_that_is_not_there(predict: Predict, tmp_path: Path) -> None:
    """Without a sweep the message says how to start one; for an unknown name, which there are."""
    path = bar(tmp_path / "a.png", UPRIGHT)
    code, out, err = predict(path, model=None)
    assert (code, out) == (2, "") and "there is no sweep in sweeps/; start one" in err
    finished_sweep(tmp_path / "sweeps", "mine")
    code, out, err = predict(path, "--model", "mien", model=None)
    assert (code, out) == (2, "") and "there is no sweep 'mien'; did you mean 'mine'" in err


def test_a_sweep_without_a_model(predict: Predict, tmp_path: Path) -> None:
    """A sweep that has no winner's model, as those of earlier versions, says what to do."""
    finished_sweep(tmp_path / "sweeps", "mine", with_model=False)
    code, out, err = predict(bar(tmp_path / "a.png", UPRIGHT), model=None)
    assert (code, out) == (2, "") and "mine has no model" in err and "runs:/RUN_ID/model" in err


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes() + b"x")])
def test_a_sweeps_model_that_was_changed(predict: Predict, tmp_path: Path, damage: Any) -> None:
    """A model that is not the one the sweep wrote is not used."""
    damage(finished_sweep(tmp_path / "sweeps", "mine") / "models" / "1.keras")
    code, out, err = predict(bar(tmp_path / "a.png", UPRIGHT), model=None)
    assert (code, out) == (2, "") and "the model of mine cannot be used" in err and "1.keras" in err


# --------------------------------------------------------------------------------------------- MLflow


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """MLflow's folder with two models, and their addresses: one with metadata, one as earlier versions logged it."""
    set_environment()
    import mlflow

    mlruns = tmp_path_factory.mktemp("logged") / "mlruns"
    mlruns.mkdir()
    choose_store(store_uri(mlruns))
    experiment = mlflow.create_experiment("digits", artifact_location=(mlruns / "artifacts/digits").as_uri())
    mlflow.set_experiment(experiment_id=experiment)
    addresses = {}
    for kind, name, facts in (("new", "image", {"preprocessing": "digits"}), ("old", "image_digits", None)):
        run = mlflow.MlflowClient().create_run(experiment).info.run_id
        parts = {"flavor": mlflow.keras, "model": network(name), "metadata": facts, "pip_requirements": []}
        mlflow.models.Model.log(artifact_path=None, name="model", run_id=run, **parts)
        addresses[kind] = f"runs:/{run}/model"
    return mlruns, addresses


@pytest.mark.parametrize("kind", ["new", "old"])
def test_a_model_in_mlflow(
    predict: Predict, tmp_path: Path, logged: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is prepared for by what was logged with it, or by its input's name; the option comes first."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mlruns, addresses = logged
    path = bar(tmp_path / "a.png", FLAT)
    for options, wanted in (((), FLAT), (("--preprocessing", "resize"), UPRIGHT)):
        chosen = "--model", addresses[kind], "--mlruns", str(mlruns), "--format", "json"
        code, out, _ = predict(path, *chosen, *options, model=None)
        assert code == 0 and [one["class"] for one in json.loads(out)] == [wanted]


def test_a_model_among_mlflows_files(predict: Predict, tmp_path: Path, logged: tuple[Path, dict[str, str]]) -> None:
    """A .keras file in mlruns/ is prepared for by the metadata that lies beside it."""
    path = bar(tmp_path / "a.png", FLAT)
    found = sorted((logged[0] / "artifacts").rglob("*.keras"))
    assert len(found) == 2
    for model in found:
        code, out, _ = predict(path, "--model", str(model), "--format", "json", model=None)
        assert code == 0 and [one["class"] for one in json.loads(out)] == [FLAT]


def test_an_address_that_is_not_there(
    predict: Predict, tmp_path: Path, logged: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a database the message says what to give; an address that MLflow does not know is named."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = bar(tmp_path / "a.png", FLAT)
    code, out, err = predict(path, "--model", "models:/m-1", model=None)
    assert (code, out) == (2, "") and "mlflow.db: give --mlruns" in err
    code, out, err = predict(path, "--model", "models:/m-1", "--mlruns", str(logged[0]), model=None)
    assert (code, out) == (2, "") and "models:/m-1 cannot be downloaded from MLflow" in err
