"""What a search does beyond training each point once: seeds, confirmation, refit, rungs."""

from src.strategies import point_key
from tests.functional.conftest import Home, kill_group

SHORT = ("schedule=constant", "training.epochs=4", "training.batch_size=64")


def test_confirmed_and_refitted(home: Home) -> None:
    """The best are trained on fresh seeds, the winner on all images, and that model alone sees the test images; in MLflow too."""
    result = home.run(*SHORT, "search.repeats=2", "search.confirm=2", "search.confirm_repeats=2", "search.refit=true")
    assert result.returncode == 0, result.stdout
    assert "fresh seeds" in result.stdout and "the winner trained on validation images too" in result.stdout
    rows = home.rows()
    assert [(t.role, t.repeat) for t in rows.trials] == [
        *[("search", repeat) for repeat in (0, 0, 1, 1)],
        *[("confirm", repeat) for repeat in (0, 0, 1, 1)],
        ("refit", 0),
    ]
    assert {trial.state for trial in rows.trials} == {"finished"}
    refit = rows.trials[-1]
    assert "val_loss" not in refit.epochs[-1].metrics and refit.validation is None
    assert [evaluation.trial for evaluation in rows.evaluations] == [refit.number]
    assert all(trial.validation for trial in rows.trials[:-1])
    assert (home.folder() / "report" / "report.html").is_file()
    assert_in_mlflow(home, refit.run_id)


def assert_in_mlflow(home: Home, refit: str) -> None:
    """A run for each trial, and the refit's with its model and its look at the test images."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{home.root}/mlruns/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("corners").experiment_id])
    assert len(runs) == 1 + 9 and {run.info.status for run in runs} == {"FINISHED"}
    found = client.get_run(refit)
    assert found.outputs and found.outputs.model_outputs and "test_accuracy" in found.data.metrics
    assert {item.path for item in client.list_artifacts(refit)} >= {"curves.png", "checkpoint", "weights.npz", "test"}


def test_pruned_then_continued(home: Home) -> None:
    """A pruned trial keeps its curve; without the pruner it goes on from there, to the weights it would have had."""
    whole = Home(home.root / "whole", home.images)
    assert whole.run(*SHORT, "tracking=none").returncode == 0
    result = home.run(*SHORT, "search.pruner=top_k", "search.keep=1")
    assert result.returncode == 0, result.stdout
    assert sorted((t.state, len(t.epochs)) for t in home.rows().trials) == [("finished", 4), ("pruned", 1)]
    assert "pruned: place 2 of 2 after 1 epoch" in result.stdout
    assert home.run(*SHORT).returncode == 0
    for ours, theirs in zip(home.rows().trials, whole.rows().trials, strict=True):
        assert (ours.state, ours.weights and ours.weights.sha256) == (
            "finished",
            theirs.weights and theirs.weights.sha256,
        )
        assert [epoch.metrics for epoch in ours.epochs] == [epoch.metrics for epoch in theirs.epochs]


def test_guided_then_killed(home: Home) -> None:
    """A search that goes by results, killed while it trains and gone on with, proposes and trains what one that nobody
    stopped does, to the same bits; in both no point is there before the one before it has a result."""
    rate = "+search.space.optimizer.learning_rate.float={min:1e-4,max:1e-2,log:true}"
    guided = (*SHORT[::2], "training.epochs=2", rate, "search.strategy=bayesian", "search.max_trials=12")
    alone = ("workers.count=1", "tracking=none")
    whole = Home(home.root / "whole", home.images)
    assert whole.run(*guided, *alone).returncode == 0
    process = home.start(*guided, *alone)
    home.wait_for(lambda rows: len(rows.trials) == 11, process)
    kill_group(process)
    assert home.run(*guided, *alone).returncode == 0
    ours, theirs = home.rows(), whole.rows()
    assert [point.values for point in ours.points] == [point.values for point in theirs.points]
    assert [[e.metrics for e in t.epochs] for t in ours.trials] == [
        [e.metrics for e in t.epochs] for t in theirs.trials
    ]
    assert len({point_key(point.values) for point in ours.points}) == len(ours.points) >= 12
