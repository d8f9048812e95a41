"""A sweep that is stopped or killed goes on to the same bits."""

import os
import signal
import subprocess

import numpy as np
import psutil

from src.ledger.files import read_arrays
from src.ledger.history import History
from src.ledger.records import TrialState
from tests.functional.conftest import EPOCHS, Home, kill_group, left_behind


def assert_same_results(home: Home, finished: tuple[Home, str]) -> None:
    """All metrics of all epochs and all final weights equal those of the sweep that nobody interrupted."""
    reference, _ = finished
    for ours, theirs in zip(home.history().trials, reference.history().trials, strict=True):
        assert ours.state == TrialState.FINISHED
        assert [epoch.metrics for epoch in ours.epochs] == [epoch.metrics for epoch in theirs.epochs]
        assert ours.weights and theirs.weights
        a, b = read_arrays(home.folder(), ours.weights), read_arrays(reference.folder(), theirs.weights)
        assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def in_training(history: History) -> bool:
    """A trial has saved its state and is not done."""
    return any(trial.state == TrialState.RUNNING and 0 < trial.checkpoint_epoch < 40 for trial in history.trials)


def test_ctrl_c_and_the_same_command(home: Home, finished: tuple[Home, str]) -> None:
    """Ctrl-C ends the sweep at its epochs' end with exit code 130 and the command to resume; that gives the same bits.

    Meanwhile, a second process is told who holds the sweep, and leaves it alone.
    """
    process = home.start()
    home.wait_for(in_training, process)
    os.killpg(process.pid, signal.SIGSTOP)  # so that it does not end before the second process has looked
    second = home.run()
    assert second.returncode == 2 and f"in use by process {process.pid} on" in second.stdout
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everyone
    os.killpg(process.pid, signal.SIGCONT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "To go on: " in output and "choice=[relu,tanh]" in output
    assert not left_behind(process.pid)
    history = home.history()
    assert not history.failures, "no worker was ended by the Ctrl-C"
    assert all(trial.state != TrialState.RUNNING for trial in history.trials)
    resumed = home.run()
    assert resumed.returncode == 0, resumed.stdout
    after = home.history()
    assert [trial.attempts for trial in after.trials] == [
        1 + (trial.state == TrialState.INTERRUPTED) for trial in history.trials
    ]
    assert_same_results(home, finished)


def test_sigkill_of_the_coordinator(home: Home, finished: tuple[Home, str]) -> None:
    """A killed coordinator leaves no process behind; the same command continues to the same bits, in MLflow too."""
    process = home.start("checkpoints.seconds=1000")  # epochs come a second time, and must not be in MLflow twice
    home.wait_for(
        lambda history: any(t.state == TrialState.RUNNING and len(t.epochs) > 20 for t in history.trials), process
    )
    process.kill()
    process.communicate(timeout=30)
    assert not left_behind(process.pid), "orphans"
    resumed = home.run()
    assert resumed.returncode == 0, resumed.stdout
    assert_same_results(home, finished)
    assert_mlflow_whole(home)


def assert_mlflow_whole(home: Home) -> None:
    """One finished run a trial and one for the sweep; no (key, step) twice."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{home.root}/mlruns/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("corners").experiment_id])
    assert len(runs) == 3 and {run.info.status for run in runs} == {"FINISHED"}
    for trial in home.history().trials:
        steps = [point.step for point in client.get_metric_history(trial.run_id, "loss")]
        assert sorted(steps) == list(range(1, EPOCHS + 1))


def test_sigkill_of_everything_twice(home: Home, finished: tuple[Home, str]) -> None:
    """Killed at once with all its processes, two times, on one worker: still the same bits."""
    for _ in range(2):
        process = home.start("tracking=none", "workers.count=1")
        done = len([1 for trial in (home.history().trials if (home.root / "sweeps").exists() else []) if trial.epochs])
        home.wait_for(lambda history, done=done: sum(bool(t.epochs) for t in history.trials) > done, process)  # type: ignore[misc]
        kill_group(process)
    assert home.run("tracking=none").returncode == 0
    assert_same_results(home, finished)


def test_sigkill_of_a_worker(home: Home, finished: tuple[Home, str]) -> None:
    """A worker that dies is replaced, its trial goes on from its checkpoint, and the sweep does not stop."""
    process = home.start("tracking=none")
    home.wait_for(in_training, process)
    processes = psutil.Process(process.pid).children(recursive=True)
    max(processes, key=seconds_in_training).kill()
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    assert "ended by SIGKILL" in output
    (failure,) = home.history().failures
    assert home.history().trial(failure.subject).attempts == 2
    assert_same_results(home, finished)


def test_sigkill_of_the_server(home: Home, finished: tuple[Home, str]) -> None:
    """Workers end with the process from which they were forked; another takes its place, and the trials go on."""
    process = home.start("tracking=none")
    home.wait_for(in_training, process)
    servers = [child for child in psutil.Process(process.pid).children() if child.children()]
    for server in servers:
        server.kill()
    output = process.communicate(timeout=120)[0]
    assert len(servers) == 1 and process.returncode == 0, output
    assert all(trial.attempts <= 2 for trial in home.history().trials) and home.history().failures
    assert_same_results(home, finished)


def seconds_in_training(process: psutil.Process) -> float:
    """How long a worker has computed; 0 of the server from which workers are forked, and of others that have children."""
    return 0.0 if process.children() else sum(process.cpu_times()[:2])


def test_sigterm(home: Home) -> None:
    """SIGTERM stops as Ctrl-C does, with its own exit code."""
    process = home.start("tracking=none", "workers.count=1")
    home.wait_for(in_training, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert any(trial.state == TrialState.INTERRUPTED for trial in home.history().trials)


def test_damaged_checkpoint_is_never_used(home: Home, finished: tuple[Home, str]) -> None:
    """A checkpoint with a flipped bit is named, and its trial starts anew, to the same bits."""
    process: subprocess.Popen[str] = home.start("tracking=none", "workers.count=1")
    home.wait_for(in_training, process)
    kill_group(process)
    for path in (home.folder() / "checkpoints").glob("*.npz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    result = home.run("tracking=none")
    assert result.returncode == 0 and "its checksum differs" in result.stdout
    assert_same_results(home, finished)
