"""A sweep's own run has the winner's metrics, and at the end table, report, model and the answer in words."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from src.analysis.conclusions import answer
from src.ledger.events import EpochEnded, Finished, Started
from src.ledger.history import History
from src.ledger.objective import ACCURACY, LOSS
from src.ledger.records import Evaluation, Role, TrialState
from src.tracking.runs import NOTE
from src.tracking.store import charts
from src.tracking.sweep_run import (
    best_so_far,
    close_sweep_run,
    describe_sweep,
    note_of_sweep,
    show_evaluation,
    show_model,
    show_report,
    show_table,
    write_notes,
)
from tests.unit.examples import epoch, file
from tests.unit.tracking.sweeps import (
    FakeClient,
    Stored,
    configured,
    history_of,
    make_sweep,
    play,
    run_of,
    tracked,
    trial,
)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    """A sweep whose first trial is finished and evaluated."""
    stored = make_sweep(tmp_path, "mine")
    stored.finish(1, epoch(1, 0.5), epoch(2, 0.6))
    stored.evaluate(1)
    yield stored
    stored.ledger.close()


# ------------------------------------------------------------------------------------- best so far


def searched(tmp_path: Path, *accuracies: tuple[float, ...]) -> History:
    """Trials of the search that were trained for these epochs, and are finished."""
    history = history_of(configured(tmp_path), *(trial(number) for number in range(1, len(accuracies) + 1)))
    for number, values in enumerate(accuracies, 1):
        epochs = (EpochEnded(number, epoch(at, value), None) for at, value in enumerate(values, 1))
        play(history, Started(number, 1), *epochs, Finished(number, file("best")))
    return history


def points(history: History) -> list[tuple[str, float, int]]:
    """Key, value and step of each point."""
    return [(point.key, point.value, point.step) for point in best_so_far(history)]


def test_the_best_so_far_by_number(tmp_path: Path) -> None:
    """A point for each trial of the search: the best of it and those before, at the time it ended."""
    history = searched(tmp_path, (0.1, 0.6), (0.9, 0.2), (0.3, 0.7))
    key = "best_so_far/val_accuracy_2_epochs"
    assert points(history) == [(key, 0.6, 1), (key, 0.9, 2), (key, 0.9, 3)]
    assert {point.timestamp for point in best_so_far(history)} == {1_002_000}


def test_the_best_so_far_goes_as_far_as_trials_are_done(tmp_path: Path) -> None:
    """It ends before the first trial that is not, and passes over those that failed, so that points never change."""
    history = searched(tmp_path, (0.1, 0.6), (0.9, 0.2), (0.3, 0.7))
    history.trials[1].state = TrialState.RUNNING
    assert [step for _, _, step in points(history)] == [1]
    history.trials[1].state = TrialState.FAILED
    assert [(value, step) for _, value, step in points(history)] == [(0.6, 1), (0.7, 3)]
    history.trials[1].state = TrialState.PRUNED
    assert [step for _, _, step in points(history)] == [1]


def test_the_best_so_far_waits_for_more_epochs(tmp_path: Path) -> None:
    """A trial with fewer epochs than others ends it, unless it was stopped early: that is all it will have."""
    history = searched(tmp_path, (0.1, 0.6), (0.9,), (0.3, 0.7))
    assert [step for _, _, step in points(history)] == [1]
    history.trials[1].stopped_early = True
    assert [(value, step) for _, value, step in points(history)] == [(0.6, 1), (0.9, 2), (0.9, 3)]


def test_the_best_so_far_is_of_the_search(tmp_path: Path) -> None:
    """Trials that confirm or refit have no part in it, and a sweep without trials has none."""
    history = searched(tmp_path, (0.1, 0.6), (0.3, 0.7))
    history.trials[1].role = Role.CONFIRM
    assert [(value, step) for _, value, step in points(history)] == [(0.6, 1)]
    assert best_so_far(History(ACCURACY)) == []


def test_the_best_so_far_by_loss(tmp_path: Path) -> None:
    """Where a sweep selects by loss, less is better, and the key says so."""
    history = replace(history_of(configured(tmp_path), trial(1), trial(2)), objective=LOSS)
    for number, loss in ((1, 0.4), (2, 0.6)):
        ended = EpochEnded(number, epoch(1, val_loss=loss), None)
        play(history, Started(number, 1), ended, Finished(number, file("best")))
    key = "best_so_far/val_loss_1_epochs"
    assert points(history) == [(key, 0.4, 1), (key, 0.4, 2)]


# -------------------------------------------------------------------------------------- evaluations


def test_an_evaluation(stored: Stored) -> None:
    """Accuracy and loss on the test data, and three pictures of the predictions."""
    names: list[str] = []
    client = FakeClient({"log_artifacts": lambda run, folder, at: names.extend(p.name for p in Path(folder).iterdir())})
    show_evaluation(tracked(stored, client), ["own"], stored.history.evaluations[0])
    assert client.metrics() == [("test_accuracy", 0.75, 3_000_000, 0), ("test_loss", 0.5, 3_000_000, 0)]
    assert sorted(names) == ["confusion.png", "first_predictions.png", "mistakes.png"]
    assert client.of("log_artifacts")[0][0][2] == "test"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("damaged")])
def test_an_evaluation_without_its_predictions(stored: Stored, damage: Any) -> None:
    """Where the file is damaged or gone, or none was stored, there are the numbers alone."""
    damage(stored.path / "models/1-test.npz")
    for evaluation in (stored.history.evaluations[0], Evaluation(1, 1, 0.5, 0.75, 3000.0)):
        client = FakeClient()
        show_evaluation(tracked(stored, client), ["own"], evaluation)
        assert len(client.metrics()) == 2 and "log_artifacts" not in client.names()


# ---------------------------------------------------------------------------------------- artifacts


@pytest.mark.parametrize("curves", ["true", "false"])
@pytest.mark.parametrize("is_written", [True, False])
def test_the_report_of_the_session_is_uploaded(tmp_path: Path, curves: str, is_written: bool) -> None:
    """The folder `report`, if the session has written it and curves are asked for; it is not written here."""
    stored = make_sweep(tmp_path, "mine", f"tracking.curves={curves}")
    if is_written:
        (stored.path / "report").mkdir()
        (stored.path / "report" / "report.html").write_text("the report")
    client = FakeClient()
    show_report(tracked(stored, client), "own")
    wanted: list[Any] = [(("own", str(stored.path / "report"), "report"), {})]
    assert client.of("log_artifacts") == (wanted if is_written and curves == "true" else [])
    assert (stored.path / "report").exists() == is_written


def test_the_table_replaces_an_earlier_one(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """All trials by columns; what MLflow has already is removed first, since it would be added to."""
    client = FakeClient()
    monkeypatch.setattr("src.tracking.sweep_run.delete_artifact", lambda client, run, path: client.delete(run, path))
    show_table(client, "own", stored.history)
    assert client.calls[0] == ("delete", ("own", "results.json"), {})
    ((arguments, _),) = client.of("log_table")
    assert arguments[0] == "own" and arguments[2] == "results.json" and arguments[1]["trial"] == [1, 2, 3]
    assert {len(column) for column in arguments[1].values()} == {3}


def test_the_model_of_the_winner(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged with the checksum of its weights; not where these are gone, damaged, or no model is asked for."""
    logged: list[Any] = []
    monkeypatch.setattr("src.tracking.sweep_run.build_model", lambda *_: "model")
    monkeypatch.setattr("src.tracking.sweep_run.log_model", lambda _, *arguments: logged.append(arguments))
    best = stored.history.trial(1)
    assert best.weights
    show_model(tracked(stored, None), "own", stored.history, best)
    assert logged == [("own", "model", best.weights.sha256)]
    show_model(tracked(stored, None), "own", stored.history, None)
    show_model(tracked(stored, None), "own", stored.history, replace(best, weights=None))
    show_model(tracked(stored, None), "own", stored.history, replace(best, weights=file("missing")))
    without = replace(stored, chosen=configured(stored.path.parents[1], "tracking.model=false"))
    show_model(tracked(without, None), "own", stored.history, best)
    assert len(logged) == 1


# -------------------------------------------------------------------------------------------- notes


def test_the_note_of_a_sweep(stored: Stored) -> None:
    """Links to its trials and its report, the answer a sentence a paragraph, and the commands that made and show it."""
    said = answer(tracked(stored, None).sweep, stored.history)
    paragraphs = note_of_sweep(tracked(stored, None), "own", stored.history, said).split("\n\n")
    link = charts("5", "own", ACCURACY)
    assert paragraphs[0] == f"[Trials as charts]({link}) · report: Artifacts → report/report.html"
    assert paragraphs[1:-1] == said and said[0].startswith("First: ")
    show = f"python -m src.compare mine --sweeps {tracked(stored, None).sweep.path.parent}"
    assert paragraphs[-1].splitlines() == [
        "    python -m src.sweep search=activations",
        f"    {show}",
        f"    {show} --report",
    ]


def test_the_note_of_an_experiment(stored: Stored) -> None:
    """A line for each sweep that has a winner, with a link to its trials as charts."""
    runs = [
        run_of("own", sweep="mine", winner="First: trial 1", objective="val_accuracy"),
        run_of("old", sweep="old", winner="First: trial 9"),
    ]
    client = FakeClient({"search_runs": runs})
    write_notes(tracked(stored, client), "own", stored.history)
    assert client.of("search_runs") == [((["5"], "tags.winner LIKE '%'"), {"max_results": 50})]
    ((experiment, key, note), _) = client.of("set_experiment_tag")[0]
    assert (experiment, key) == ("5", NOTE)
    assert note.splitlines() == [
        f"- [mine]({charts('5', 'own', ACCURACY)}): First: trial 1",
        f"- [old]({charts('5', 'old', ACCURACY)}): First: trial 9",
    ]
    assert client.tags()["winner"] == answer(tracked(stored, None).sweep, stored.history)[0]


def test_a_line_links_by_the_sweeps_objective() -> None:
    """Charts begin with the best by what the sweep selects by."""
    line = describe_sweep("5", "own", {"sweep": "mine", "winner": "First", "objective": "val_loss"})
    assert line == f"- [mine]({charts('5', 'own', LOSS)}): First"


# ------------------------------------------------------------------------------------------ the end


@pytest.mark.parametrize(
    ("is_done", "state", "status"), [(True, "complete", "FINISHED"), (False, "interrupted", "KILLED")]
)
def test_the_end(stored: Stored, monkeypatch: pytest.MonkeyPatch, is_done: bool, state: str, status: str) -> None:
    """All is logged before the run ends; its state says whether the sweep is complete, its tags within which budget."""
    monkeypatch.setattr("src.tracking.sweep_run.show_model", lambda *_: None)
    client = FakeClient({"search_runs": [], "list_artifacts": [SimpleNamespace(path="samples.png")]})
    close_sweep_run(tracked(stored, client), "own", stored.history, stored.history.trial(1), is_done)
    files = [Path(arguments[1]).name for arguments, _ in client.of("log_artifact")]
    assert files == ["config.yaml"] and "log_table" in client.names()
    assert client.tags()["state"] == state and client.tags()["training.epochs"] == "2"
    assert client.calls[-1] == ("set_terminated", ("own",), {"status": status})
