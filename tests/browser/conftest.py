"""A finished sweep, MLflow's pages as a user serves them, and a browser that has never been there."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.functional.conftest import PROJECT, Home, environment
from tests.functional.conftest import images as images

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 30_000  # milliseconds
LARGEST = 150_000  # bytes of a screenshot
CLOSED = """localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");"""  # else it covers a quarter of a first visit


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Home:
    """Two activations with two seeds each, three epochs."""
    home = Home(tmp_path_factory.mktemp("swept"), images)
    result = home.run("architecture.units=[16]", "training.epochs=3", "search.repeats=2")
    assert result.returncode == 0, result.stdout
    return home


@pytest.fixture(scope="session")
def link(swept: Home) -> Iterator[str]:
    """What `src.ui` prints for the sweep, once its server answers."""
    port = str(free_port())
    command = [sys.executable, "-m", "src.ui", "--port", port, "--mlruns", f"{swept.root}/mlruns"]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        found = next((line.strip() for line in process.stdout if line.startswith("  http")), "")
        assert found, "src.ui printed no link"
        wait_for(f"http://127.0.0.1:{port}/", process)
        yield found
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """One that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen[str]) -> None:
    """Until a server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.1)
    raise AssertionError(f"{address} never answered; its process: {process.poll()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that remembers nothing of those before it, with MLflow's assistant closed."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE)
    context.add_init_script(CLOSED)
    yield context.new_page()
    context.close()


@pytest.fixture
def picture(page: Page) -> Callable[[str], None]:
    """Saves what the page shows, as NAME.png in the folder that the variable SCREENSHOTS names; without it, nothing."""

    def save(name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            path = Path(folder) / f"{name}.png"
            page.screenshot(path=path, animations="disabled")
            shrink(path)

    return save


def shrink(path: Path) -> None:
    """Fewer colours, as far as the file is too large."""
    full = Image.open(path).convert("RGB")
    for colours in (256, 128, 64, 32, 16):
        if path.stat().st_size < LARGEST:
            return
        full.quantize(colours).save(path, optimize=True)
    assert path.stat().st_size < LARGEST, path
