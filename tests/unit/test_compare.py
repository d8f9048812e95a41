"""What `compare` prints of sweeps on disk."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.base.errors import UserError
from src.compare import main
from src.ledger.database import Ledger
from src.ledger.events import Checked, EpochEnded, Finished, Reused, Started
from src.ledger.files import Arrays, write_arrays
from src.ledger.objective import ACCURACY
from src.ledger.records import Epoch, File, Origin, Trial, TrialState
from src.ledger.sweep_folder import create_or_check
from src.search.problem import SearchProblem
from src.search.proposals import next_point
from src.search.schedule import Schedule, new_trials
from tests.unit.examples import SPACE, check, config

IMAGES = 40


def write_sweep(
    folder: Path,
    wrong: dict[int, int],
    *overrides: str,
    digest: str = "digest",
    space: dict[str, Any] | None = None,
    stored: bool = True,
) -> Path:
    """A sweep on disk: of each point's trials on every seed so many images are wrong; others have not been trained.

    An older version `stored` no file of the validation images.
    """
    problem = SearchProblem.of(config("training.epochs=1", *overrides, space=space or SPACE))
    folder.mkdir(parents=True)
    create_or_check(folder, problem.config, digest)
    ledger = Ledger.open(folder, problem.objective)
    schedule = Schedule.of(problem, ledger.history)
    while point := next_point(schedule):
        ledger.save(point)
        check(ledger.history, point.number, size=100 * point.number)
        ledger.save(point)
    while added := new_trials(schedule):
        for trial in added:
            ledger.save(trial)
            if trial.point in wrong:
                train(ledger, folder, trial, wrong[trial.point], stored)
    ledger.close()
    return folder


def train(ledger: Ledger, folder: Path, trial: Trial, wrong: int, stored: bool) -> None:
    """A trial whose first so many images are wrong, and one more on every other seed."""
    count = wrong + trial.repeat % 2
    right = [0] * count + [1] * (IMAGES - count)
    loss = [1.0 + 0.1 * place / IMAGES if value else 3.0 for place, value in enumerate(right)]
    validation = None
    if stored:
        arrays: Arrays = {"right": np.array(right, np.uint8), "loss": np.array(loss, np.float32)}
        validation = write_arrays(folder, f"checkpoints/{trial.number}-validation.npz", arrays)
    metrics = {"loss": 1.0, "accuracy": 0.5, "val_accuracy": sum(right) / IMAGES, "val_loss": sum(loss) / IMAGES}
    ledger.save(Started(trial.number, 1))
    ledger.save(EpochEnded(trial.number, Epoch(1, metrics, 2.0, 1000.0), None))
    weights = File(f"checkpoints/{trial.number}.npz", "0" * 64)
    ledger.save(Finished(trial.number, weights, validation=validation))


@pytest.fixture
def sweeps(tmp_path: Path) -> Path:
    """The folder of a sweep of four points, `mine`."""
    write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30, 4: 31})
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], sweeps: Path, *names: str, **options: Any) -> str:
    """What is printed."""
    main(list(names), sweeps=sweeps, **options)
    return capsys.readouterr().out


# ----------------------------------------------------------------------------------------- one sweep


def test_one_sweep(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The best first, and what the first place is worth."""
    text = printed(capsys, sweeps, "mine")
    table = [line.split() for line in text.splitlines() if line[:5].strip().isdigit()]
    assert [line[0] for line in table] == ["2", "1", "3", "4"]
    assert "Trial 2 is not significantly different from 1 of the 3 others (one seed each)" in text


def test_a_sweep_without_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its trials are listed; there is nothing to say of them, and nothing to compare."""
    write_sweep(tmp_path / "mine", {})
    assert "waiting" in printed(capsys, tmp_path, "mine")
    with pytest.raises(UserError, match="mine: no trial has finished"):
        main(["mine"], by="kernel", sweeps=tmp_path)


def test_points_that_are_not_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are named with the reason; one is no plural."""
    write_sweep(tmp_path / "mine", {})
    ledger = Ledger.open(tmp_path / "mine", ACCURACY)
    for number, reason in ((2, "no room"), (3, "no room"), (4, "a loop")):
        ledger.save(Checked(number, reason, 0, 0, 0))
    ledger.close()
    said = printed(capsys, tmp_path, "mine")
    assert "infeasible: no room (points 2–3)" in said and "infeasible: a loop (point 4)" in said


def test_what_was_taken_is_said(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line counts the trials of other sweeps and names these; where there are none it is not there."""
    assert "taken" not in printed(capsys, sweeps, "mine")
    ledger = Ledger.open(sweeps / "mine", ACCURACY)
    for number, origin in ((1, Origin("b", 7)), (2, Origin("a", 1)), (4, Origin("b", 12))):
        trial = ledger.history.trial(number)
        epochs, (weights, validation) = tuple(trial.epochs), (trial.weights, trial.validation)
        ledger.save(Reused(number, 1, origin, epochs, TrialState.FINISHED, weights=weights, validation=validation))
    ledger.close()
    text = printed(capsys, sweeps, "mine")
    assert text.endswith("3 trials were taken from other sweeps (search.reuse=false trains anew): a and b.\n")
    table = json.loads(printed(capsys, sweeps, "mine", format="json"))
    assert {row["trial"]: row["origin"] for row in table} == {1: "b trial 7", 2: "a trial 1", 3: "", 4: "b trial 12"}


def test_repeats_are_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several seeds a line is a point, with mean and standard deviation."""
    write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30, 4: 31}, "search.repeats=2")
    assert "0.8625 ± 0.0177" in printed(capsys, tmp_path, "mine")


def test_a_damaged_file_is_one_sentence(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is printed all the same; where the file is all there is to compare by, it is the error."""
    (sweeps / "mine/checkpoints/3-validation.npz").write_bytes(b"nothing")
    words = "3-validation.npz is not what was written: its checksum differs: trial 3 cannot be compared."
    text = printed(capsys, sweeps, "mine")
    assert "0.8750" in text and words in text
    with pytest.raises(UserError, match="trial 3 cannot be compared"):
        main(["mine"], by="kernel", sweeps=sweeps)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((), "kernel=3 has the best val_accuracy (difference 62.50 points): two pairs of trials are too few to say"),
        (
            ("search.repeats=2",),
            "kernel=3 is significantly better than kernel=5 (difference 62.50 points, 95% interval ",
        ),
    ],
)
def test_trials_of_an_older_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], overrides: tuple[str, ...], words: str
) -> None:
    """Without validation files the values are compared by their means; no interval is made up where there is none."""
    write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30, 4: 31}, *overrides, stored=False)
    assert "nan" not in printed(capsys, tmp_path, "mine")
    text = printed(capsys, tmp_path, "mine", by="kernel")
    assert words in text and "nan" not in text


# ------------------------------------------------------------------------------------------ one key


@pytest.mark.parametrize("key", ["kernel", "architecture.kernel"])
def test_the_effect_of_a_key(sweeps: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    """By its whole name or its last part: a line for each value, paired over what else is equal."""
    text = printed(capsys, sweeps, "mine", by=key)
    table = [line.split() for line in text.splitlines() if line.startswith(("3 ", "5 ", "     3", "     5"))]
    assert [line[:3] for line in table] == [["3", "2", "0.8625"], ["5", "2", "0.2375"]]
    assert "62.50 points –" in " ".join(table[1]) and "–" in table[0]
    assert "kernel=3 has the best val_accuracy (difference 62.50 points): two pairs of trials are too few" in text


def test_a_key_of_a_random_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no two trials differ in the key alone nothing is claimed, and JSON has no NaN."""
    space = {
        "optimizer": {"learning_rate": {"float": {"min": 0.001, "max": 0.1}}},
        "architecture": {"dense_dropout": {"float": {"min": 0.1, "max": 0.5}}},
    }
    write_sweep(tmp_path / "mine", {1: 1, 2: 30}, "search.strategy=random", "search.max_trials=2", space=space)
    text = printed(capsys, tmp_path, "mine", by="learning_rate")
    assert "No two trials differ in this alone" in text and "nan" not in text
    table = json.loads(printed(capsys, tmp_path, "mine", by="learning_rate", format="json"), parse_constant=pytest.fail)
    assert (table[1]["behind"], table[1]["pairs"]) == (None, 0)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("kernal", "--by kernal: was not searched; known here: architecture.kernel, architecture.pool"),
        ("dropout", "--by dropout: was not searched"),
        ("rate", "--by rate: was not searched"),
    ],
)
def test_keys_that_were_not_searched(sweeps: Path, key: str, words: str) -> None:
    """They are answered with those that were."""
    with pytest.raises(UserError, match=words):
        main(["mine"], by=key, sweeps=sweeps)


def test_an_ambiguous_key(tmp_path: Path) -> None:
    """The end of several keys is answered with these."""
    patience = {"patience": {"choice": [1, 2]}}
    write_sweep(
        tmp_path / "mine", {1: 1, 2: 2}, space={"training": {"early_stopping": patience, "reduce_lr": patience}}
    )
    words = "--by patience: fits several: training.early_stopping.patience, training.reduce_lr.patience"
    with pytest.raises(UserError, match=words):
        main(["mine"], by="patience", sweeps=tmp_path)


def test_a_whole_key_beats_an_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`activation` is the key of that name, whatever else ends with it."""
    space = {"activation": {"choice": ["relu", "tanh"]}, "architecture": {"pool": {"choice": [1, 2]}}}
    write_sweep(tmp_path / "mine", {1: 1, 2: 2, 3: 30, 4: 31}, "search.repeats=2", space=space)
    assert "relu is significantly better than tanh (" in printed(capsys, tmp_path, "mine", by="activation")


def test_pruned_trials_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The means are of the trials that the difference is of; that others are left out is said."""
    write_sweep(tmp_path / "mine", {1: 2, 2: 30, 3: 10, 4: 31}, "search.repeats=4")
    ledger = Ledger.open(tmp_path / "mine", ACCURACY)
    for trial in [trial for trial in ledger.history.trials if trial.point == 4]:
        trial.state = TrialState.PRUNED
        ledger.save(trial)
    ledger.close()
    text = printed(capsys, tmp_path, "mine", by="kernel")
    table = [line.split() for line in text.splitlines() if line.split()[:1] in (["3"], ["5"])]
    assert [(line[0], line[1], line[2]) for line in table] == [("3", "4", "0.9375"), ("5", "4", "0.7375")]
    assert table[1][6:8] == ["20.00", "points"]
    assert "Left out: 4 pruned trials and 4 trials without a partner that differs in kernel alone." in text


# ---------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("names", "by", "count", "column"),
    [
        (["mine"], None, 4, "trial"),
        (["mine"], "kernel", 2, "architecture.kernel"),
        (["mine", "other"], None, 2, "sweep"),
    ],
)
def test_formats(
    sweeps: Path, capsys: pytest.CaptureFixture[str], names: list[str], by: str | None, count: int, column: str
) -> None:
    """JSON and CSV have the same rows and columns, and nothing else is printed."""
    write_sweep(sweeps / "other", {1: 3, 2: 4, 3: 2, 4: 9}, "activation=tanh")
    table = json.loads(printed(capsys, sweeps, *names, by=by, format="json"))
    read = list(csv.DictReader(io.StringIO(printed(capsys, sweeps, *names, by=by, format="csv"))))
    assert len(table) == len(read) == count and list(table[0]) == list(read[0]) and column in table[0]
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in table] == read


@pytest.mark.parametrize("options", [{"by": "kernel"}, {"format": "csv"}])
def test_a_page_is_whole(sweeps: Path, options: dict[str, Any]) -> None:
    """What the page would not heed is refused."""
    with pytest.raises(UserError, match="--report writes the whole page"):
        main(["mine"], report=True, sweeps=sweeps, **options)
