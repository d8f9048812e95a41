"""Disks fill up, servers go away, folders are moved, and sweeps outlive the version that began them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from src.ledger.records import Cause
from src.tracking.store import relocate
from tests.functional.conftest import EPOCHS, Home, environment, run
from tests.functional.test_resume import assert_same_results, in_training

# -------------------------------------------------------------------------------------------- disk


def test_full_disk(home: Home, finished: tuple[Home, str]) -> None:
    """On a full disk a sweep ends with one sentence; with room made, the same command goes on to the same bits."""
    disk = home.root / "sweeps"
    disk.mkdir()
    sweep = " ".join(f"'{word}'" for word in home.command("tracking=none"))
    script = f"""
        mount -t tmpfs -o size=600k tmpfs {disk} || exit 77
        {sweep}; echo "first exit $?"
        {sweep}; echo "second exit $?"
        mount -o remount,size=100m {disk}
        {sweep}; echo "third exit $?"
        cp -r {disk} {home.root}/copy
    """
    unshare = ["unshare", "--map-root-user", "--mount", "bash", "-c", script]
    if not shutil.which("unshare") or subprocess.run([*unshare[:3], "true"], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    result = run(unshare)
    if result.returncode == 77:
        pytest.skip("no file system can be mounted here")
    output = result.stdout
    assert "first exit 2" in output and "third exit 0" in output, output
    first = output.partition("first exit")[0]
    assert "cannot be written (" in first or "No space left" in first
    assert "Traceback" not in output and "failed" not in output
    (home.root / "sweeps").rmdir()
    (home.root / "copy").rename(home.root / "sweeps")
    assert not home.history().failures or {failure.cause for failure in home.history().failures} == {Cause.DISK}
    assert_same_results(home, finished)


# -------------------------------------------------------------------------------------------- view


def start_server(root: Path, port: int) -> subprocess.Popen[bytes]:
    """MLflow's own tracking server, once it answers."""
    store = ["--backend-store-uri", f"sqlite:///{root}/server.db", "--artifacts-destination", str(root / "artifacts")]
    command = [sys.executable, "-m", "mlflow", "server", *store, "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([*command, "--workers", "1"], env=environment(), start_new_session=True, **quiet)  # type: ignore[call-overload]
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server  # type: ignore[no-any-return]
        time.sleep(0.2)
    raise AssertionError("MLflow's server does not start")


def test_server_that_goes_away(home: Home, finished: tuple[Home, str]) -> None:
    """A tracking server that is killed in mid-sweep costs nothing; once it is back, the same command completes it."""
    import mlflow

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = start_server(home.root, port)
    try:
        process = home.start(f"tracking.uri=http://127.0.0.1:{port}")
        home.wait_for(in_training, process)
        os.killpg(server.pid, signal.SIGKILL)
        output = process.communicate(timeout=200)[0]
        assert process.returncode == 0 and "MLflow is not complete" in output, output
        assert_same_results(home, finished)
        server = start_server(home.root, port)
        again = home.run(f"tracking.uri=http://127.0.0.1:{port}")
        assert again.returncode == 0 and "This sweep is complete." in again.stdout
        client = mlflow.MlflowClient(f"http://127.0.0.1:{port}")
        runs = client.search_runs([client.get_experiment_by_name("corners").experiment_id])
        assert [found.info.status for found in runs] == ["FINISHED"] * 3
        for trial in home.history().trials:
            steps = [point.step for point in client.get_metric_history(trial.run_id, "loss")]
            assert sorted(steps) == list(range(1, EPOCHS + 1))
    finally:
        os.killpg(server.pid, signal.SIGKILL)


def test_moved_folder(finished: tuple[Home, str], tmp_path: Path) -> None:
    """After the folder was moved, runs have their artifacts and models, and new ones go beside them."""
    import mlflow

    home, _ = finished
    moved = Home(tmp_path / "moved", home.images)
    shutil.copytree(home.root, moved.root)
    assert relocate(moved.root / "mlruns") and not relocate(moved.root / "mlruns")
    client = mlflow.MlflowClient(f"sqlite:///{moved.root}/mlruns/mlflow.db")
    run_id = moved.history().trials[0].run_id
    assert str(moved.root) in client.get_run(run_id).info.artifact_uri
    assert "curves.png" in {item.path for item in client.list_artifacts(run_id)}
    (model,) = client.get_run(run_id).outputs.model_outputs
    location = client.get_logged_model(model.model_id).artifact_location
    assert location.startswith((moved.root / "mlruns").as_uri())
    result = moved.run()
    assert result.returncode == 0 and "This sweep is complete." in result.stdout


# ---------------------------------------------------------------------------------------- versions


def test_other_versions_are_refused_or_marked(home: Home) -> None:
    """Training on under other versions is refused with the difference named; allowed, it marks the trials."""
    import sqlite3

    options = ["training.epochs=2", "schedule=constant", "tracking=none", "workers.count=1"]
    assert home.run(*options).returncode == 0
    with sqlite3.connect(home.folder() / "ledger.db") as connection:
        connection.execute("UPDATE invocations SET checksum = '', environment = replace(environment, '\"2.', '\"1.')")
    connection.close()
    more = [option.replace("epochs=2", "epochs=3") for option in options]
    assert home.run(*options).returncode == 0, "a complete sweep only shows its results"
    refused = home.run(*more)
    assert refused.returncode == 2 and "tensorflow 1." in refused.stdout and "allow_drift=true" in refused.stdout
    assert home.run(*more, "resume.allow_drift=true").returncode == 0
    assert all("tensorflow 1." in trial.drift for trial in home.history().trials)
