"""What `compare` prints of several sweeps on disk."""

from pathlib import Path

import pytest

from src.base.errors import UserError
from src.compare import main
from tests.unit.test_compare import printed, write_sweep


@pytest.fixture
def sweeps(tmp_path: Path) -> Path:
    """The folder of a sweep of four points, `mine`."""
    write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30, 4: 31})
    return tmp_path


def test_two_sweeps(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The better one first, each by its first place; that one seed each says nothing of seeds is said."""
    write_sweep(sweeps / "other", {1: 30, 2: 31, 3: 32, 4: 33}, "activation=tanh")
    text = printed(capsys, sweeps, "other", "mine")
    assert text.index("mine") < text.index("other") and "kernel=3 pool=2" in text
    assert "mine is significantly better than other over the validation images only (difference 62.50 points" in text


def test_an_older_sweep_beside_a_new_one(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one of them has no validation files, the intervals do not count the other's images as if both had."""
    write_sweep(sweeps / "other", {1: 30, 2: 31, 3: 32, 4: 33}, "activation=tanh", stored=False)
    text = printed(capsys, sweeps, "other", "mine")
    assert "mine has the best val_accuracy (difference 62.50 points): one pair of trials is too few" in text


@pytest.mark.parametrize(
    ("overrides", "digest", "words"),
    [
        (
            (),
            "another",
            r"mine and other are not on the same images \(data=mnist_5k seed=0, digest digest; .* another\)",
        ),
        (("search.objective=val_loss",), "digest", "mine selects by val_accuracy, other by val_loss"),
    ],
)
def test_unlike_sweeps_are_refused(sweeps: Path, overrides: tuple[str, ...], digest: str, words: str) -> None:
    """Other images, or another objective: the reason is said."""
    write_sweep(sweeps / "other", {1: 1, 2: 1, 3: 1, 4: 1}, *overrides, digest=digest)
    with pytest.raises(UserError, match=words):
        main(["mine", "other"], sweeps=sweeps)


def test_the_same_sweep_twice(sweeps: Path) -> None:
    """However it is named."""
    with pytest.raises(UserError, match="the same sweep is named twice"):
        main(["mine", "latest"], sweeps=sweeps)


def test_a_key_of_two_sweeps(sweeps: Path) -> None:
    """The values of a key are compared within one sweep."""
    write_sweep(sweeps / "other", {1: 1}, "activation=tanh")
    with pytest.raises(UserError, match=r"--by and --report are of one sweep: name only one"):
        main(["mine", "other"], by="kernel", sweeps=sweeps)


def test_a_sweep_without_results_beside_another(sweeps: Path) -> None:
    """It is named."""
    write_sweep(sweeps / "other", {}, "activation=tanh")
    with pytest.raises(UserError, match="other: no trial has finished"):
        main(["mine", "other"], sweeps=sweeps)


def test_sweeps_by_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lower loss is better; the difference is positive and has no unit."""
    write_sweep(tmp_path / "a", {1: 9, 2: 8, 3: 7, 4: 30}, "search.objective=val_loss")
    write_sweep(tmp_path / "b", {1: 9, 2: 1, 3: 7, 4: 30}, "search.objective=val_loss", "activation=tanh")
    text = printed(capsys, tmp_path, "a", "b")
    assert "b and a are not significantly different (difference 0.30, 95% interval -0." in text
    write_sweep(tmp_path / "c", {1: 30, 2: 30, 3: 30, 4: 30}, "search.objective=val_loss", "activation=elu")
    words = "b is significantly better than c over the validation images only (difference 1.4"
    assert words in printed(capsys, tmp_path, "b", "c")


def test_the_best_of_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A difference that is significant of two single points is not where one of them is the best of four."""
    single = {"architecture": {"kernel": {"choice": [3]}}}
    write_sweep(tmp_path / "one", {1: 7}, space=single)
    write_sweep(tmp_path / "other", {1: 2}, "activation=tanh", space=single)
    write_sweep(tmp_path / "four", {1: 2, 2: 9, 3: 9, 4: 9}, "activation=tanh")
    text = printed(capsys, tmp_path, "one", "other")
    words = "other is significantly better than one over the validation images only (difference 12.50 points"
    assert words in text and "allow" not in text
    text = printed(capsys, tmp_path, "one", "four")
    assert "four and one are not significantly different (difference 12.50 points" in text
    assert "Each is the best of its search on the same images: the intervals allow for that choice." in text
