"""The same from Python: functions give what commands print."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from src import api, compare, status
from src.base.errors import UserError
from src.ledger.database import Ledger
from src.ledger.lock import lock_sweep
from src.ledger.objective import ACCURACY
from src.ledger.records import Invocation
from src.ledger.sweep_folder import write_last
from tests.unit.examples import SPACE, config, write_npz
from tests.unit.test_clean import make_sweep, stored
from tests.unit.test_compare import write_sweep


@pytest.fixture
def sweeps(tmp_path: Path) -> Path:
    """A folder with two sweeps of four points on the same images, the second the latest."""
    write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30, 4: 31})
    write_sweep(tmp_path / "other", {1: 30, 2: 31}, "activation=tanh")
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], sweeps: Path, *names: str, **options: Any) -> str:
    """What `python -m src.compare` prints."""
    compare.main(list(names), sweeps=sweeps, **options)
    return capsys.readouterr().out


# ------------------------------------------------------------------------------------------ reading


def test_a_sweep_is_found(sweeps: Path) -> None:
    """By its name, the beginning of it, or as the latest; what does not exist is answered with what does."""
    assert [api.find_sweep(name, sweeps).name for name in ("mine", "m", "latest")] == ["mine", "mine", "other"]
    with pytest.raises(UserError, match="there is no sweep 'mime'; did you mean 'mine'"):
        api.find_sweep("mime", sweeps)


def test_a_sweep_is_read(sweeps: Path) -> None:
    """All of its records, as they are on disk."""
    history = api.read(api.find_sweep("mine", sweeps))
    assert (len(history.points), len(history.trials), history.objective) == (4, 4, ACCURACY)


def test_sweeps_are_described(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row a sweep, the latest first, as `status` prints them."""
    rows = api.describe_sweeps(sweeps)
    assert [(row["sweep"], row["finished"], row["trials"]) for row in rows] == [("other", 2, 4), ("mine", 4, 4)]
    status.main(format="json", sweeps=sweeps)
    table = json.loads(capsys.readouterr().out)
    assert [row | {"bytes": 0} for row in table] == [row | {"bytes": 0} for row in rows]  # reading leaves an empty log
    with pytest.raises(UserError, match="there is no sweep in"):
        api.describe_sweeps(sweeps / "mine")


# ---------------------------------------------------------------------------------------- comparing


def test_trials(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table of `compare`, with what it says of the first place."""
    found = api.compare_trials(api.find_sweep("mine", sweeps))
    assert found.table == json.loads(printed(capsys, sweeps, "mine", format="json"))
    assert found.conclusions and set(found.conclusions) <= set(printed(capsys, sweeps, "mine").splitlines())


def test_values(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table of `compare --by`, with its sentences."""
    found = api.compare_values(api.find_sweep("mine", sweeps), "kernel")
    assert found.table == json.loads(printed(capsys, sweeps, "mine", by="kernel", format="json"))
    lines = printed(capsys, sweeps, "mine", by="kernel").splitlines()
    assert lines[-len(found.conclusions) :] == found.conclusions and "kernel=3 has the best" in found.conclusions[0]
    with pytest.raises(UserError, match="--by units: was not searched"):
        api.compare_values(api.find_sweep("mine", sweeps), "units")


def test_sweeps(sweeps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table of `compare` with several names, with its sentences."""
    chosen = [api.find_sweep(name, sweeps) for name in ("other", "mine")]
    found = api.compare_sweeps(chosen)
    assert found.table == json.loads(printed(capsys, sweeps, "other", "mine", format="json"))
    assert [row["sweep"] for row in found.table] == ["mine", "other"]
    assert printed(capsys, sweeps, "other", "mine").splitlines()[-len(found.conclusions) :] == found.conclusions
    with pytest.raises(UserError, match="the same sweep is named twice"):
        api.compare_sweeps([*chosen, chosen[0]])


def test_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is written as `compare --report` does; where the data is not what it was, why test images are missing is said."""
    path = write_sweep(tmp_path / "mine", {1: 6})
    with closing(Ledger.open(path, ACCURACY)) as ledger:
        ledger.save(Invocation(1, 0.0, 1.0, "here", 1, {}, {}))
    write_last(path, config("training.epochs=1", space=SPACE), "python -m src.sweep")
    report = api.write_report(api.find_sweep("mine", tmp_path))
    assert report.path == path / "report" / "report.html"
    assert "the data of mnist_5k has changed" in report.trouble
    written = report.path.read_bytes()
    compare.main(["mine"], report=True, sweeps=tmp_path)
    out, err = capsys.readouterr()
    assert out.endswith("report.html\n") and err == f"The page is without test images: {report.trouble}\n"
    assert report.path.read_bytes() == written


# ----------------------------------------------------------------------------------------- cleaning


def test_checkpoints(tmp_path: Path) -> None:
    """They are counted, then removed; a second time there is nothing."""
    path = make_sweep(tmp_path, "tracking=none")
    sweep = api.find_sweep("mine", tmp_path / "sweeps")
    plan = api.plan_cleaning(sweep)
    assert (plan.trials, plan.files, plan.needed, plan.unseen) == ((1, 2, 3, 4), 8, 0, 0) and len(stored(path)) == 12
    assert plan.bytes == sum(
        (path / f"checkpoints/{n}{end}.npz").stat().st_size for n in "1234" for end in ("", "-best")
    )
    assert api.clean(sweep) == plan and len(stored(path)) == 4
    assert api.clean(sweep).trials == ()


def test_a_whole_sweep(tmp_path: Path) -> None:
    """It is described, then removed with its folder; where it is in use neither is done."""
    path = make_sweep(tmp_path, "tracking=none", tracked=False)
    sweep = api.find_sweep("mine", tmp_path / "sweeps")
    with lock_sweep(path, steal=False):
        for refused in (api.plan_cleaning, api.clean, api.plan_removal, api.remove):
            with pytest.raises(UserError, match="mine is in use by process"):
                refused(sweep)
    plan = api.plan_removal(sweep)
    assert (plan.runs, plan.is_remote, plan.are_lost) == (0, False, False) and plan.files > 12
    assert api.remove(sweep).runs == 0 and not path.exists()


# --------------------------------------------------------------------------------------------- data


def test_the_data(tmp_path: Path) -> None:
    """It is loaded as a sweep would; a file that is not there is a mistake of the user's."""
    path = write_npz(tmp_path / "images.npz")
    data = api.load_data(config("data=npz", f"data.path={path}"))
    assert (data.label, data.num_classes, len(data.train) + len(data.validation) + len(data.test)) == ("images", 3, 60)
    with pytest.raises(UserError, match=r"no\.npz"):
        api.load_data(config("data=npz", f"data.path={tmp_path / 'no.npz'}"))
