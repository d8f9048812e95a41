"""A sweep is removed in part or as a whole, when asked for in earnest, and nothing else is."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src import clean
from src.config.command_line import run_reading
from src.config.schema import Config
from src.data.load import name_of
from src.ledger import sweep_folder
from src.ledger.database import Ledger, read_history
from src.ledger.events import Checked, EpochEnded, Finished, Paused, Pruned, Started, Stopped, Tracked
from src.ledger.files import write_arrays
from src.ledger.history import History
from src.ledger.lock import lock_sweep
from src.ledger.objective import ACCURACY
from src.ledger.records import Evaluation, File, Invocation
from src.ledger.sweep_folder import create_or_check, last_written, list_sweeps, open_sweep, write_last
from src.search.problem import SearchProblem
from src.search.proposals import next_point
from src.search.schedule import Schedule, is_complete, new_trials, next_job
from src.tracking.runs import NOTE, sweep_id
from src.tracking.store import set_environment, set_up_mlflow
from tests.unit.examples import SPACE, config, epoch


@pytest.fixture(autouse=True)
def forget_the_server() -> Iterator[None]:
    """MLflow writes where it is into the environment, from which configurations take it."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


def chosen_for(folder: Path, *overrides: str) -> Config:
    """A grid of four points whose folders are the test's own."""
    paths = f"paths.sweeps={folder}/sweeps", f"paths.mlruns={folder}/mlruns"
    return config(*paths, "training.epochs=1", *overrides, space=SPACE)


def make_sweep(
    folder: Path, *overrides: str, name: str = "mine", finished: int = 4, evaluated: bool = True, tracked: bool = True
) -> Path:
    """A sweep with so many of its four trials finished and in MLflow, as the runner leaves it."""
    chosen = chosen_for(folder, *overrides)
    path = folder / "sweeps" / name
    create_or_check(path, chosen, "digest")
    write_last(path, chosen, "python -m src.sweep")
    (path / "models").mkdir()
    (path / "models" / "1.keras").write_text("a model")
    problem = SearchProblem.of(chosen)
    ledger = Ledger.open(path, problem.objective)
    schedule = Schedule.of(problem, ledger.history)
    ledger.save(Invocation(1, 1.0, 2.0, name, 1, {}, {}))
    while point := next_point(schedule):
        ledger.save(point)
    for point in ledger.history.points:
        ledger.save(Checked(point.number, "", 10, 20, 30))
    for trial in new_trials(schedule):
        ledger.save(trial)
    for number in range(1, finished + 1):
        train(ledger, path, number)
        if tracked:
            ledger.save(Tracked(number, f"run {number}"))
    if evaluated:
        ledger.save(Evaluation(finished, 1, 0.1, 0.9, 2.0))
    ledger.close()
    return path


def train(ledger: Ledger, path: Path, number: int) -> None:
    """A trial is finished, each better than the one before, with all of its files."""
    ledger.save(Started(number, 1))
    ledger.save(EpochEnded(number, epoch(1, number / 10), store(path, f"{number}")))
    ledger.save(Finished(number, store(path, f"{number}-best"), validation=store(path, f"{number}-validation")))


def schedule_of(chosen: Config, history: History) -> Schedule:
    """What a configuration asks for, given a history."""
    return Schedule.of(SearchProblem.of(chosen), history)


def store(path: Path, name: str) -> File:
    """A file of 1 MB."""
    return write_arrays(path, f"checkpoints/{name}.npz", {"x": np.zeros(250_000, "float32")})


def stored(path: Path) -> set[str]:
    """The checkpoints on disk."""
    return {file.stem for file in (path / "checkpoints").iterdir()}


class Clean:
    """Runs the entry as a shell does: exit code, standard output, standard error."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["clean", *arguments, "--sweeps", str(self.folder / "sweeps")])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            run_reading(clean.main)
        out, err = self.capsys.readouterr()
        return int(end.value.code or 0), out, err


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Clean:
    """`python -m src.clean`, in this process and the test's folder."""
    return Clean(tmp_path, monkeypatch, capsys)


# -------------------------------------------------------------------------------------- checkpoints


def test_nothing_is_removed_unasked(run: Clean, tmp_path: Path) -> None:
    """Without --yes it says what would be freed, that nothing was, and how to do it; the ledger is as before."""
    path = make_sweep(tmp_path)
    before, written = (path / "ledger.db").read_bytes(), last_written(path)
    code, out, err = run("mine")
    assert (code, err) == (0, "") and "4 trials: 8 files, 9 MB" in out and "train these trials anew" in out
    assert "Nothing has been removed" in out and f"src.clean mine --sweeps {tmp_path}/sweeps --yes" in out
    assert ((path / "ledger.db").read_bytes(), last_written(path)) == (before, written) and len(stored(path)) == 12


def test_states_of_pruned_trials_go_too(tmp_path: Path, run: Clean) -> None:
    """A trial that was pruned has a checkpoint to go on from, which is counted and removed with the others."""
    path = make_sweep(
        tmp_path, "search.pruner=top_k", "search.keep=1", "training.epochs=2", finished=0, evaluated=False
    )
    ledger = Ledger.open(path, ACCURACY)
    for number in (1, 2, 3, 4):
        ledger.save(Started(number, 1))
        ledger.save(EpochEnded(number, epoch(1, number / 10), store(path, f"{number}")))
        ledger.save(Pruned(number, "place 2") if number < 4 else Paused(number))
        ledger.save(Tracked(number, f"run {number}"))
    ledger.save(EpochEnded(4, epoch(2, 0.5), store(path, "4-2")))
    ledger.save(Finished(4, store(path, "4-best")))
    ledger.save(Tracked(4, "run 4"))
    ledger.save(Evaluation(4, 2, 0.1, 0.9, 2.0))
    ledger.close()
    code, out, _ = run("mine", "--yes")
    assert code == 0 and "4 trials (3 pruned): 5 files" in out and stored(path) == set()


def test_checkpoints_are_removed(run: Clean, tmp_path: Path) -> None:
    """With --yes checkpoints and best weights go, from disk and ledger; validation files, models and results stay."""
    path = make_sweep(tmp_path)
    written = last_written(path)
    code, out, err = run("mine", "--yes")
    assert (code, err) == (0, "") and "removed" in out and "8 files, 9 MB" in out and "Nothing" not in out
    assert stored(path) == {f"{number}-validation" for number in range(1, 5)} and (path / "models/1.keras").is_file()
    history = read_history(path, ACCURACY)
    for trial in history.trials:
        assert (trial.checkpoint, trial.weights, trial.state) == (None, None, "finished") and trial.validation
    assert is_complete(schedule_of(chosen_for(tmp_path), history)) and last_written(path) == pytest.approx(written)
    assert "no checkpoint to remove" in run("mine", "--yes")[1]
    extension = next_job(schedule_of(chosen_for(tmp_path, "training.epochs=2"), history), ())
    assert getattr(extension, "epochs", None) == ()  # anew, from the first


@pytest.mark.parametrize(
    ("overrides", "left"),
    [((), {"1-validation", "2", "2-best", "2-validation", "3"}), (("search.repeats=2",), None)],
)
def test_what_is_needed_stays(run: Clean, tmp_path: Path, overrides: tuple[str, ...], left: set[str] | None) -> None:
    """Of a sweep that is not complete the states to go on from stay, and the files of what may be its final trial."""
    path = make_sweep(tmp_path, *overrides, finished=2, evaluated=False)
    ledger = Ledger.open(path, ACCURACY)
    ledger.save(Started(3, 1))
    ledger.save(EpochEnded(3, epoch(1, 0.1), store(path, "3")))
    ledger.save(Stopped(3))
    ledger.close()
    before = stored(path)
    code, out, _ = run("mine", "--yes")
    assert code == 0 and "kept: they may be needed to complete the sweep" in out
    assert stored(path) == (before if left is None else left)


def test_an_extension_under_way_keeps_its_checkpoints(run: Clean, tmp_path: Path) -> None:
    """Trials that were asked for more epochs, and have not had them, go on from where they are."""
    path = make_sweep(tmp_path)
    write_last(path, chosen_for(tmp_path, "training.epochs=5"), "")
    before = stored(path)
    code, out, _ = run("mine", "--yes")
    assert code == 0 and "no checkpoint to remove" in out and "4 trials kept" in out and stored(path) == before


def test_what_mlflow_lacks_stays(run: Clean, tmp_path: Path) -> None:
    """Weights that are not in MLflow yet are kept for it, and the command that brings them there is named."""
    path = make_sweep(tmp_path, tracked=False)
    before = stored(path)
    code, out, _ = run("mine", "--yes")
    assert code == 0 and "MLflow does not have them yet" in out and stored(path) == before
    assert f"src.sync mine --sweeps {tmp_path}/sweeps)" in out
    write_last(path, chosen_for(tmp_path, "tracking=none"), "")
    assert run("mine", "--yes")[0] == 0 and len(stored(path)) == 4


def test_files_outside_of_the_sweep(run: Clean, tmp_path: Path) -> None:
    """A ledger that names files elsewhere is refused, and they stay."""
    path = make_sweep(tmp_path)
    (tmp_path / "precious").write_text("mine")
    ledger = Ledger.open(path, ACCURACY)
    ledger.history.trial(1).weights = File("../../precious", "0" * 64)
    ledger.save(ledger.history.trial(1))
    ledger.close()
    before = stored(path)
    code, out, err = run("mine", "--yes")
    assert (code, out) == (2, "") and "outside of its folder" in err and (tmp_path / "precious").is_file()
    assert stored(path) == before


# ------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("arguments", [(), ("--yes",), ("--all", "--yes")])
def test_a_sweep_in_use_is_left_alone(run: Clean, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A sweep that a process works on is refused, with that process' name."""
    path = make_sweep(tmp_path, "tracking=none")
    with lock_sweep(path, steal=False):
        code, out, err = run("mine", *arguments)
    assert (code, out) == (2, "") and "mine is in use by process" in err and len(stored(path)) == 12


@pytest.mark.parametrize("arguments", [(), ("--all", "--yes")])
def test_a_damaged_ledger(run: Clean, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What cannot be read is not removed; with --all the message says how else to be rid of it."""
    path = make_sweep(tmp_path, "tracking=none")
    (path / "ledger.db").write_text("no database, " * 100)
    code, out, err = run("mine", *arguments)
    assert (code, out) == (2, "") and "cannot be read" in err and len(stored(path)) == 12
    assert not arguments or f"delete {path}/ yourself" in err


def test_a_sweep_that_is_not_there(run: Clean, tmp_path: Path) -> None:
    """An unknown name is answered with those that exist; without a name nothing is chosen."""
    make_sweep(tmp_path, "tracking=none")
    assert "there is no sweep 'mien'; did you mean 'mine'" in run("mien", "--all", "--yes")[2]
    code, out, err = run("--all", "--yes")
    assert (code, out) == (2, "") and "sweep" in err


# ----------------------------------------------------------------------------------- the whole sweep


@pytest.mark.parametrize("overrides", ["tracking=none", "tracking=mlflow"])
def test_a_sweep_without_runs(run: Clean, tmp_path: Path, overrides: str) -> None:
    """Without tracking, or where mlruns/ is gone, the folder is all there is; its neighbours stay."""
    path, other = make_sweep(tmp_path, overrides, tracked=False), make_sweep(tmp_path, overrides, name="other")
    code, out, err = run("mine", "--all")
    assert (code, err) == (0, "") and "its folder (" in out and "MLflow" not in out and path.is_dir()
    code, out, err = run("mine", "--all", "--yes")
    assert (code, err) == (0, "") and "removed its folder" in out
    assert not path.exists() and list_sweeps(tmp_path / "sweeps") == [other] and not (tmp_path / "mlruns").exists()


def test_a_server_that_is_down(run: Clean, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracking server that does not answer is said in words, and nothing is removed."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    path = make_sweep(tmp_path, "tracking.uri=http://127.0.0.1:9")
    for arguments in ((), ("--yes",)):
        code, out, err = run("mine", "--all", *arguments)
        assert (code, out) == (2, "") and "MLflow at http://127.0.0.1:9 cannot be used" in err
        assert len(err.splitlines()) == 1 and len(stored(path)) == 12


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MLflow's database, which takes seconds to make."""
    folder = tmp_path_factory.mktemp("tracked")
    set_environment()
    set_up_mlflow(chosen_for(folder))
    return folder


@pytest.fixture
def there(tracked: Path, run: Clean) -> Clean:
    """The entry, in the folder with the database."""
    run.folder = tracked
    return run


def make_runs(folder: Path, path: Path) -> list[str]:
    """The runs of a sweep and of its first two trials, each with an artifact and a model, as the tracker makes them."""
    chosen = chosen_for(folder)
    client, label = set_up_mlflow(chosen), name_of(chosen.data)
    experiment = client.get_experiment_by_name(label)
    location = (folder / "mlruns" / "artifacts" / label).as_uri()
    number = experiment.experiment_id if experiment else client.create_experiment(label, artifact_location=location)
    tags = {"sweep.id": sweep_id(open_sweep(path), read_history(path, ACCURACY))}
    runs = []
    for own in ({}, {"trial": "1"}, {"trial": "2"}):
        run = client.create_run(number, tags={**tags, **own}).info.run_id
        client.log_text(run, "drawn", "curves.txt")
        client.log_metric(run, "loss", 0.5)
        model = client.create_logged_model(number, name="model", source_run_id=run)
        client.log_model_artifact(model.model_id, str(path / "config.yaml"))
        runs.append(run)
    return runs


def runs_left(folder: Path) -> set[str]:
    """All runs in the database, those marked as deleted too."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as connection:
        return {run for (run,) in connection.execute("SELECT run_uuid FROM runs")}


def models_left(folder: Path) -> set[str]:
    """The runs of all models in the database."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as connection:
        return {run for (run,) in connection.execute("SELECT source_run_id FROM logged_models")}


def test_a_sweep_is_removed_with_its_runs(there: Clean, tracked: Path) -> None:
    """Its runs go for good, with artifacts and models, then its folder; another sweep's stay, files and all."""
    path, other = make_sweep(tracked, name="one"), make_sweep(tracked, name="two")
    before = runs_left(tracked)
    mine, others = make_runs(tracked, path), make_runs(tracked, other)
    files = set((tracked / "mlruns" / "artifacts").rglob("*"))
    client = set_up_mlflow(chosen_for(tracked))
    experiment = client.get_run(mine[0]).info.experiment_id
    client.set_experiment_tag(experiment, NOTE, f"Sweeps\n- [one]({mine[0]}): a\n- [two]({others[0]}): b")
    code, out, err = there("one", "--all")
    assert (code, err) == (0, "") and "3 runs in MLflow" in out and "mlflow.db" in out and path.is_dir()
    assert runs_left(tracked) == {*before, *mine, *others}
    assert set((tracked / "mlruns" / "artifacts").rglob("*")) == files
    code, out, err = there("one", "--all", "--yes")
    assert (code, err) == (0, "") and "removed its folder" in out and "3 runs in MLflow" in out
    assert not path.exists() and len(stored(other)) == 12
    assert runs_left(tracked) == {*before, *others} and models_left(tracked) >= set(others)
    assert not models_left(tracked) & set(mine)
    assert client.get_experiment(experiment).tags[NOTE] == f"Sweeps\n- [two]({others[0]}): b"
    gone = files - set((tracked / "mlruns" / "artifacts").rglob("*"))
    assert len([file for file in gone if file.name == "curves.txt"]) == 3
    assert len([file for file in gone if file.name == "config.yaml"]) == 3
    assert not any((tracked / "mlruns" / "artifacts").rglob(f"{mine[0]}*"))


@pytest.mark.parametrize("hindrance", ["remove", "_hard_delete_run"])
def test_a_removal_cut_short(there: Clean, tracked: Path, monkeypatch: pytest.MonkeyPatch, hindrance: str) -> None:
    """After Ctrl-C in the middle the same command does the rest."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path = make_sweep(tracked, name=f"cut-{hindrance.strip('_')}")
    runs = make_runs(tracked, path)
    calls: list[Any] = []
    original = SqlAlchemyStore._hard_delete_run

    def stop(*arguments: Any) -> None:
        calls.append(arguments)
        if hindrance == "remove" or len(calls) == 2:
            raise KeyboardInterrupt
        original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(sweep_folder if hindrance == "remove" else SqlAlchemyStore, hindrance, stop)
        code, out, err = there(path.name, "--all", "--yes")
    assert (code, out) == (130, "") and "the same command goes on" in err and path.is_dir()
    assert (runs[0] in runs_left(tracked)) == (hindrance != "remove")
    code, out, err = there(path.name, "--all", "--yes")
    assert (code, err) == (0, "") and not path.exists() and not runs_left(tracked) & set(runs)


def test_runs_marked_as_deleted_go_too(there: Clean, tracked: Path) -> None:
    """What was deleted in MLflow's pages, where it can be restored, is deleted for good."""
    path = make_sweep(tracked, name="marked")
    runs = make_runs(tracked, path)
    set_up_mlflow(chosen_for(tracked)).delete_run(runs[1])
    assert there("marked", "--all", "--yes")[0] == 0
    assert not path.exists() and not runs_left(tracked) & set(runs)


def test_runs_that_are_elsewhere(there: Clean, tracked: Path) -> None:
    """A sweep that was in MLflow and is not found there now is removed, and that is said."""
    path = make_sweep(tracked, name="elsewhere")
    code, out, _ = there("elsewhere", "--all", "--yes")
    assert code == 0 and not path.exists() and "no run of theirs is found now" in out
