"""MLflow's pages, served on this machine, and links to each sweep's trials as charts."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from src.base.errors import UserError
from src.base.text import command, folder_options, short_path
from src.ledger.objective import OBJECTIVES
from src.tracking.store import charts, database, relocate, store_uri


def refuse_missing(mlruns: Path) -> None:
    """Raises UserError where there is no database."""
    if not database(mlruns).is_file():
        folder = [f"paths.mlruns={short_path(mlruns)}"] if folder_options(mlruns=mlruns) else []
        again = command("sweep", "search=cnn_grid", *folder)
        raise UserError(f"there is no {mlruns}/mlflow.db yet; it comes with the first sweep: {again}")


def refuse_taken(port: int) -> None:
    """Raises UserError where something else listens already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(f"port {port} cannot be used ({error.strerror}): try --port {port + 1}.") from error


def prepare_links(mlruns: Path, port: int) -> list[tuple[str, str]]:
    """Each sweep's name and link, after the database of a folder that was moved is put right. Raises UserError."""
    try:
        relocate(mlruns)
        return links(mlruns, port)
    except sqlite3.DatabaseError as error:
        again = command("sync", "SWEEP", mlruns=mlruns)
        raise UserError(
            f"{mlruns}/mlflow.db cannot be read ({error}): move it away and build it anew: {again}"
        ) from error


def links(mlruns: Path, port: int) -> list[tuple[str, str]]:
    """Each sweep's name and the page that shows its trials as charts, the newest first."""
    query = """SELECT t.value, r.experiment_id, r.run_uuid, coalesce(o.value, 'val_accuracy') FROM runs r
        JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'sweep'
        LEFT JOIN tags o ON o.run_uuid = r.run_uuid AND o.key = 'objective'
        WHERE r.lifecycle_stage = 'active'
        AND NOT EXISTS (SELECT 1 FROM tags p WHERE p.run_uuid = r.run_uuid AND p.key = 'trial') ORDER BY r.start_time DESC"""
    with sqlite3.connect(f"{database(mlruns).as_uri()}?mode=ro", uri=True) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return [
        (name, f"http://127.0.0.1:{port}/{charts(experiment, run, OBJECTIVES[objective])}")
        for name, experiment, run, objective in found
    ]


def serve(mlruns: Path, port: int, tell: Callable[[], None]) -> None:
    """Run MLflow's server, reachable from this machine alone, until Ctrl-C; `tell` once it answers.

    What it prints goes to mlruns/ui.log. Raises UserError where it ends by itself.
    """
    artifacts = (mlruns.resolve() / "artifacts").as_uri()
    words = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store_uri(mlruns)]
    words += ["--default-artifact-root", artifacts, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--allowed-hosts", f"127.0.0.1:{port},localhost:{port}"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with open(mlruns / "ui.log", "w") as log:
        server = subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while server.poll() is None and not answers(port):
            time.sleep(0.2)
        if server.poll() is None:
            tell()
        if code := server.wait():
            raise UserError(f"MLflow's server ended with code {code}; {mlruns}/ui.log says why.")
    except KeyboardInterrupt:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # it only reads; its own way down takes seconds and screens


def answers(port: int) -> bool:
    """Whether something listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
