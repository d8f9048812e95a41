"""A sweep's runs have names and tags they are found by, and each is created once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.data.load import load
from src.ledger.records import Role
from src.ledger.sweep_folder import Sweep
from src.tracking.runs import (
    TrialRun,
    create_sweep_run,
    create_trial_run,
    dataset_inputs,
    describe_run,
    find_experiment,
    find_runs,
    log_metrics,
    make_metrics,
    run_name,
    search_runs,
    sweep_id,
    trial_params,
    trial_tags,
)
from tests.unit.examples import epoch
from tests.unit.tracking.sweeps import (
    FakeClient,
    Page,
    Stored,
    configured,
    history_of,
    make_sweep,
    run_of,
    tracked,
    trial,
)

MINE = Sweep(Path("sweeps/mine"), {"search": {"objective": "val_accuracy"}})


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """A sweep that has not begun."""
    return make_sweep(tmp_path, "mine")


# ----------------------------------------------------------------------------------- names and tags


@pytest.mark.parametrize(
    ("role", "repeat", "name"),
    [
        (Role.SEARCH, 0, "002 activation=tanh"),
        (Role.SEARCH, 1, "002 activation=tanh · s2"),
        (Role.CONFIRM, 0, "002 activation=tanh · confirm 1"),
        (Role.CONFIRM, 2, "002 activation=tanh · confirm 3"),
        (Role.REFIT, 0, "002 activation=tanh · refit"),
    ],
)
def test_a_run_is_named_by_its_point_and_seed(tmp_path: Path, role: Role, repeat: int, name: str) -> None:
    """The trial's number, the point in words, and which of several seeds it has, if it is not the search's first."""
    history = history_of(configured(tmp_path))
    assert run_name(MINE, history, trial(2, role, repeat)) == name


def test_the_only_point_is_named_by_its_sweep(tmp_path: Path) -> None:
    """A sweep without a space has one point, which has no words of its own."""
    history = history_of(configured(tmp_path))
    history.points[0] = replace(history.points[0], values={})
    assert run_name(MINE, history, trial(1)) == "001 mine"


def test_tags_of_a_trials_run(tmp_path: Path) -> None:
    """All that a run is found and filtered by, in the words that stores have had from the beginning."""
    history = history_of(configured(tmp_path))
    assert trial_tags(MINE, history, trial(3, Role.CONFIRM, 1)) == {
        "mlflow.source.name": "python -m src.sweep",
        "mlflow.source.git.commit": "abc123",
        "sweep": "mine",
        "sweep.id": sweep_id(MINE, history),
        "trial": "3",
        "point": "3",
        "repeat": "1",
        "role": "confirm",
        "host": "somewhere",
        "version.keras": "3.15",
        "activation": "elu",
    }


def test_params_of_a_trial(stored: Stored) -> None:
    """The whole configuration by dotted keys, the choice of a group by its name too; not the space."""
    history = stored.history
    params = trial_params(tracked(stored, None).sweep, history, history.trial(2))
    assert params["activation"] == params["activation.name"] == "tanh" and params["architecture.units"] == [4]
    assert params["seed"] == 7 and params["data.digest"] == load(stored.chosen.data).digest
    assert params["search.strategy"] == "grid" and not any(key.startswith("search.space") for key in params)
    assert "training.epochs" not in params


def test_sweeps_of_equal_names_have_different_ids(tmp_path: Path) -> None:
    """A sweep is known by its name, and where and when it began; its later invocations change nothing."""
    history = history_of(configured(tmp_path))
    known = sweep_id(MINE, history)
    assert known == "mine@5752d02847f0"
    first = history.invocations[0]
    history.invocations.append(replace(first, number=2, host="elsewhere", started=5000.0))
    assert sweep_id(MINE, history) == known
    for other in (replace(first, host="elsewhere"), replace(first, started=1.5)):
        history.invocations[0] = other
        assert sweep_id(MINE, history) != known and sweep_id(MINE, history).startswith("mine@")


# ------------------------------------------------------------------------------------- experiments


def test_an_experiment_that_exists_is_taken(tmp_path: Path) -> None:
    """Sweeps on the same data share an experiment."""
    client = FakeClient({"get_experiment_by_name": lambda name: type("E", (), {"experiment_id": 7})})
    assert find_experiment(client, configured(tmp_path), "corners") == "7"
    assert client.names() == ["get_experiment_by_name"]


@pytest.mark.parametrize("uri", [None, "http://127.0.0.1:9"])
def test_an_experiment_is_created(tmp_path: Path, uri: str | None) -> None:
    """Its artifacts lie in mlruns/, whatever the working directory; a server has a place of its own for them."""
    client = FakeClient({"create_experiment": "8"})
    overrides = [f"tracking.uri={uri}"] if uri else []
    assert find_experiment(client, configured(tmp_path, *overrides), "corners") == "8"
    place = None if uri else (tmp_path / "mlruns/artifacts/corners").as_uri()
    assert client.of("create_experiment") == [(("corners",), {"artifact_location": place})]


def test_two_sweeps_create_the_same_experiment(tmp_path: Path) -> None:
    """The one that comes second takes what the first has created; an error that is another is raised."""
    found: list[Any] = [None, type("E", (), {"experiment_id": 9}), None, None]

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("it exists")

    client = FakeClient({"get_experiment_by_name": lambda name: found.pop(0), "create_experiment": refuse})
    assert find_experiment(client, configured(tmp_path), "corners") == "9"
    with pytest.raises(ValueError, match="it exists"):
        find_experiment(client, configured(tmp_path), "corners")


# --------------------------------------------------------------------------------- finding, creating


@pytest.mark.parametrize(("with_deleted", "view"), [(False, 1), (True, 3)])
def test_runs_are_found_page_by_page(with_deleted: bool, view: int) -> None:
    """All pages are read; runs marked as deleted are among them only if asked for."""
    pages = [Page([run_of("a"), run_of("b")], "more"), Page([run_of("c")])]
    client = FakeClient({"search_runs": lambda *_, **__: pages.pop(0)})
    assert [run.info.run_id for run in search_runs(client, "5", "mine@1", with_deleted)] == ["a", "b", "c"]
    for (arguments, named), token in zip(client.of("search_runs"), (None, "more"), strict=True):
        assert arguments == (["5"], "tags.`sweep.id` = 'mine@1'", view) and named["page_token"] == token


def test_runs_are_told_apart_by_their_tags(stored: Stored) -> None:
    """The run without a trial is the sweep's own; a trial's says what it shows, and whether its params are there."""
    runs = [
        run_of("own", sweep="mine"),
        run_of("one", {"parameters": "10"}, trial="1", revision="finished 2 1 kept"),
        run_of("two", {"seed": "7"}, trial="2"),
    ]
    client = FakeClient({"search_runs": Page(runs)})
    parent, found = find_runs(tracked(stored, client), stored.history)
    assert parent == "own"
    assert found == {1: TrialRun("one", "finished 2 1 kept", True), 2: TrialRun("two", "", False)}


def test_nothing_is_found(stored: Stored) -> None:
    """A sweep that MLflow does not know has no runs."""
    assert find_runs(tracked(stored, FakeClient({"search_runs": Page([])})), stored.history) == ("", {})


def test_the_sweeps_own_run(stored: Stored) -> None:
    """It begins when the sweep began, has its name, and says what the sweep selects by."""
    client = FakeClient({"create_run": run_of("own")})
    assert create_sweep_run(tracked(stored, client), stored.history) == "own"
    ((arguments, named),) = client.of("create_run")
    assert arguments == ("5",) and named["start_time"] == 1_001_000 and named["run_name"] == "mine"
    assert named["tags"] == {
        "sweep": "mine",
        "sweep.id": sweep_id(tracked(stored, client).sweep, stored.history),
        "mlflow.source.name": "python -m src.sweep",
        "objective": "val_accuracy",
    }


def test_a_trials_run(stored: Stored) -> None:
    """It begins when its first epoch did, and stands under the sweep's own."""
    client = FakeClient({"create_run": run_of("one")})
    begun = replace(stored.history.trial(1), epochs=[epoch(1), epoch(2)])
    assert create_trial_run(tracked(stored, client), "own", stored.history, begun) == TrialRun("one")
    ((_, named),) = client.of("create_run")
    assert named["start_time"] == 999_000 and named["run_name"] == "001 activation=relu"
    assert named["tags"]["mlflow.parentRunId"] == "own" and named["tags"]["trial"] == "1"


# ---------------------------------------------------------------------------------- params, metrics


def test_a_run_is_described_once_all_params_are_there(stored: Stored) -> None:
    """`parameters` is the last param: a run that has it has all; only then does it count as described."""
    client = FakeClient()
    run = TrialRun("one")
    describe_run(tracked(stored, client), run, stored.history, stored.history.trial(1))
    ((arguments, named),) = client.of("log_batch")
    assert arguments == ("one",) and run.is_described
    assert (named["params"][-1].key, named["params"][-1].value) == ("parameters", "101")
    assert client.names() == ["log_inputs", "log_batch"]


def test_the_parts_of_the_data(stored: Stored) -> None:
    """Train, validation and test are named with the data's digest and their sizes."""
    data = load(stored.chosen.data)
    found = [(one.tags[0].value, one.dataset.name, one.dataset.profile) for one in dataset_inputs(data)]
    parts = ("train", len(data.train)), ("validation", len(data.validation)), ("test", len(data.test))
    assert found == [(part, f"corners {part}", f'{{"num_rows": {size}, "num_classes": 3}}') for part, size in parts]
    assert {one.dataset.digest for one in dataset_inputs(data)} == {data.digest[:32]}


def test_many_points_are_logged_in_parts() -> None:
    """MLflow takes 1,000 points at a time: all arrive, in order."""
    client = FakeClient()
    points = [point for step in range(2500) for point in make_metrics({"loss": step / 10}, step, step)]
    log_metrics(client, "one", points)
    assert [len(named["metrics"]) for _, named in client.of("log_batch")] == [1000, 1000, 500]
    assert client.metrics() == [("loss", step / 10, step * 1000, step) for step in range(2500)]
    log_metrics(client, "one", [])
    assert len(client.of("log_batch")) == 3
