"""Links to each sweep's trials, and a server that says why it cannot serve."""

import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from src.base.errors import UserError
from src.ledger.objective import ACCURACY, LOSS
from src.tracking import server
from src.tracking.server import answers, links, prepare_links, refuse_missing, refuse_taken, serve
from src.tracking.store import charts


@pytest.fixture
def mlruns(tmp_path: Path) -> Path:
    """The parts of MLflow's database that links are made of."""
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("CREATE TABLE runs (run_uuid, experiment_id, start_time, lifecycle_stage, artifact_uri)")
        connection.execute("CREATE TABLE tags (run_uuid, key, value)")
        connection.execute("CREATE TABLE experiments (name, artifact_location)")
        connection.execute("CREATE TABLE logged_models (artifact_location)")
    return tmp_path


def add_run(mlruns: Path, run: str, started: int, stage: str = "active", **tags: str) -> None:
    """A run with tags."""
    with sqlite3.connect(mlruns / "mlflow.db") as connection:
        connection.execute("INSERT INTO runs VALUES (?, 5, ?, ?, '')", (run, started, stage))
        connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(run, key, value) for key, value in tags.items()])


@pytest.fixture
def port() -> Iterator[int]:
    """A port that something listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


# -------------------------------------------------------------------------------------------- links


def test_links_of_sweeps(mlruns: Path) -> None:
    """One for each sweep's own run, the newest first; none for trials, other runs and those that were deleted."""
    add_run(mlruns, "a", 1, sweep="first")
    add_run(mlruns, "b", 3, sweep="second", objective="val_loss")
    add_run(mlruns, "c", 2, sweep="second", trial="1")
    add_run(mlruns, "d", 4, "deleted", sweep="third")
    add_run(mlruns, "e", 5)
    assert (
        links(mlruns, 5001)
        == prepare_links(mlruns, 5001)
        == [
            ("second", f"http://127.0.0.1:5001/{charts(5, 'b', LOSS)}"),
            ("first", f"http://127.0.0.1:5001/{charts(5, 'a', ACCURACY)}"),
        ]
    )


def test_a_folder_that_was_moved_is_put_right(mlruns: Path) -> None:
    """Before anything is shown, the database learns where its artifacts are."""
    with sqlite3.connect(mlruns / "mlflow.db") as connection:
        connection.execute("INSERT INTO experiments VALUES ('corners', 'file:///long/ago/artifacts/corners')")
    assert prepare_links(mlruns, 5000) == []
    with sqlite3.connect(mlruns / "mlflow.db") as connection:
        ((place,),) = connection.execute("SELECT artifact_location FROM experiments").fetchall()
    assert place == (mlruns / "artifacts/corners").as_uri()


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_database_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    """What is wrong, and how to have another."""
    (tmp_path / "mlflow.db").write_bytes(content)
    with pytest.raises(UserError, match=r"mlflow.db cannot be read \(.*\): move it away .*src.sync SWEEP"):
        prepare_links(tmp_path, 5000)


def test_no_database(tmp_path: Path, mlruns: Path) -> None:
    """What is missing comes with the first sweep."""
    refuse_missing(mlruns)
    with pytest.raises(
        UserError, match=r"there is no .*/none/mlflow\.db yet; it comes with the first sweep: .* paths\.mlruns="
    ):
        refuse_missing(tmp_path / "none")


# ------------------------------------------------------------------------------------------- serving


def test_a_port_that_is_taken(port: int) -> None:
    """It is refused, and the next one proposed."""
    assert answers(port)
    with pytest.raises(UserError, match=rf"port {port} cannot be used \(.*\): try --port {port + 1}"):
        refuse_taken(port)


def test_a_port_that_is_free() -> None:
    """Nothing is raised, and nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    refuse_taken(free)
    assert not answers(free)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A script in the place of Python, which `serve` starts with the arguments of MLflow's server."""
    path = tmp_path / "program"
    monkeypatch.setattr(sys, "executable", str(path))
    before = signal.getsignal(signal.SIGTERM)
    yield path
    signal.signal(signal.SIGTERM, before)


def write_program(path: Path, *lines: str) -> None:
    """A script that does this."""
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o700)


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or is soon."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for _ in range(200):
            if process.status() == psutil.STATUS_ZOMBIE:  # whoever should wait for it has not
                break
            time.sleep(0.05)
        else:
            return False
    return True


def test_a_server_that_ends(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code is told, and where it says why; nothing is told of links."""
    write_program(program, 'echo "no module $2"', "exit 3")
    monkeypatch.setattr(server, "answers", lambda port: False)
    told: list[int] = []
    with pytest.raises(UserError, match=r"MLflow's server ended with code 3; .*/ui\.log says why"):
        serve(tmp_path, 5000, lambda: told.append(1))
    assert told == [] and (tmp_path / "ui.log").read_text() == "no module mlflow\n"


def test_a_server_until_ctrl_c(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It listens to this machine alone; links are told once it answers; Ctrl-C ends it with all that it started."""
    write_program(
        program, 'echo "$@"', "sleep 1000 &", f"echo $! > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid", "wait"
    )
    monkeypatch.setattr(server, "answers", lambda port: (tmp_path / "pid").is_file())

    def tell() -> None:
        raise KeyboardInterrupt

    serve(tmp_path, 5003, tell)
    assert has_ended(int((tmp_path / "pid").read_text()))
    said = (tmp_path / "ui.log").read_text()
    assert "--host 127.0.0.1 --port 5003" in said and "--allowed-hosts 127.0.0.1:5003,localhost:5003" in said
    assert f"--backend-store-uri sqlite:///{tmp_path}/mlflow.db" in said
