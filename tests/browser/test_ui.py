"""What a user sees of a sweep in MLflow's pages and in its report, looked at in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from src.analysis.conclusions import answer
from src.ledger.sweep_folder import open_sweep
from tests.browser.conftest import CHROMIUM
from tests.functional.conftest import Home

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium in PATH; on Debian: apt-get install chromium")

TRIALS = 4
EPOCHS = 3
Picture = Callable[[str], None]


def trials(page: Page) -> Locator:
    """The links to the trials' runs."""
    return page.get_by_role("link", name=re.compile(r"^\d{3} activation="))


def open_charts(page: Page, link: str) -> None:
    """Follow the link that `src.ui` printed."""
    page.goto(link)
    expect(page.get_by_text(f"{TRIALS} matching runs")).to_be_visible()


def open_run(page: Page, link: str, name: str) -> None:
    """From the charts to a trial's run, by its name."""
    open_charts(page, link)
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def open_sweeps_run(page: Page, link: str, swept: Home) -> None:
    """From the charts over a trial to the sweep's own run."""
    open_run(page, link, "001 activation=relu")
    page.get_by_role("link", name=swept.folder().name).click()
    expect(page.get_by_role("heading", name=swept.folder().name)).to_be_visible()


def cards(page: Page, name: str) -> Locator:
    """The charts of a name."""
    return page.get_by_test_id("experiment-view-compare-runs-card").filter(has_text=name)


def expect_sorting(report: Page | FrameLocator) -> None:
    """The report's table of trials is sorted by a click on its first column, the other way round by another."""
    table = report.locator("table").last
    numbers = [str(number) for number in range(1, TRIALS + 1)]
    for direction, order in (("ascending", numbers), ("descending", numbers[::-1])):
        table.locator("th").first.click()
        expect(table.locator("th").first).to_have_attribute("aria-sort", direction)
        expect(table.locator("tbody td:first-child")).to_have_text(order)


def test_printed_link_opens_charts(page: Page, link: str, swept: Home, picture: Picture) -> None:
    """The printed link shows all trials, the best first, with a bar each in every chart, and the experiment's note."""
    open_charts(page, link)
    expect(trials(page)).to_have_count(TRIALS)
    best = {trial.number: trial.objective or 0.0 for trial in swept.history().trials}
    shown = [best[int(text[:3])] for text in trials(page).all_inner_texts()]
    assert shown == sorted(best.values(), reverse=True)
    for name in ("best/accuracy", "best/val_accuracy"):
        expect(cards(page, name).locator(".bars .point")).to_have_count(TRIALS)
    expect(page.get_by_text(re.compile("First: point")).first).to_be_visible()
    picture("charts")


def test_grouping_by_a_key_of_the_space(page: Page, link: str) -> None:
    """Trials can be grouped by the name of a key of the space: a group and a bar for each of its values."""
    open_charts(page, link)
    page.get_by_role("button", name="Group by").click()
    page.get_by_role("menuitemcheckbox", name="activation", exact=True).first.click()  # the tag; then the param
    expect(page.get_by_text(re.compile(r"^Group: (relu|tanh)$"))).to_have_count(2)
    expect(cards(page, "best/val_accuracy").locator(".bars .point")).to_have_count(2)


def test_parallel_coordinates(page: Page, link: str) -> None:
    """A chart of parallel coordinates can be added over a param and a metric, and its lines are drawn."""
    open_charts(page, link)
    page.get_by_role("button", name="Add chart").first.click()
    page.get_by_role("menuitem", name="Parallel coordinates").click()
    dialog = page.get_by_role("dialog")
    for place, name in ((1, "activation.name"), (2, "best/val_accuracy")):
        dialog.get_by_role("combobox").nth(place).click()
        page.locator(f"[class*=select-item][title='{name}']").click()
        page.keyboard.press("Tab")
    dialog.get_by_role("button", name="Add chart").click()
    expect(dialog).to_be_hidden()
    chart = cards(page, "Parallel Coordinates")
    chart.scroll_into_view_if_needed()
    for text in ("activation.name", "relu", "tanh"):
        expect(chart.get_by_text(text, exact=True)).to_be_visible()
    page.wait_for_function("""() => [...document.querySelectorAll(".parcoords canvas")].some(canvas => canvas.width
        && canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean))""")


def test_trial_run(page: Page, link: str, swept: Home, picture: Picture) -> None:
    """A trial's run has its params and metrics, curves with a point for each epoch, and curves.png as a picture."""
    open_run(page, link, "001 activation=relu")
    row = page.get_by_role("row")
    expect(row.filter(has_text="architecture.units")).to_contain_text("[16]")
    (trial,) = (trial for trial in swept.history().trials if trial.number == 1)
    expect(row.filter(has_text="best/val_accuracy")).to_contain_text(str(trial.objective))
    page.get_by_role("tab", name="Model metrics").click()
    page.get_by_placeholder("Search metric charts").fill("^(val_)?(accuracy|loss)$")
    for name in ("val_accuracy", "val_loss"):
        expect(cards(page, name).locator("path.point")).to_have_count(EPOCHS)
    picture("run")
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("curves.png").click()
    image = page.get_by_role("img", name="curves.png")
    expect(image).to_be_visible()
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.naturalWidth") > 500


def test_sweeps_run_says_the_answer(page: Page, link: str, swept: Home) -> None:
    """The sweep's own run says the answer in its description, and links to the trials as charts."""
    open_sweeps_run(page, link, swept)
    page.get_by_text("Show more").click()
    for sentence in answer(open_sweep(swept.folder()), swept.history()):
        expect(page.get_by_role("paragraph").filter(has_text=sentence)).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Trials as charts").click()
    expect(opened.value).to_have_url(link)
    expect(trials(opened.value)).to_have_count(TRIALS)


def test_report_in_mlflow(page: Page, link: str, swept: Home) -> None:
    """The report is shown among the artifacts of the sweep's run, with its heading and tables that can be sorted."""
    open_sweeps_run(page, link, swept)
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("report", exact=True).click()
    page.get_by_text("report.html", exact=True).click()
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", name=swept.folder().name)).to_be_visible()
    expect_sorting(report)


def test_report_from_disk(page: Page, swept: Home, picture: Picture) -> None:
    """The report opened as a file asks no other address for anything, and its tables can be sorted."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    address = (swept.folder() / "report" / "report.html").resolve().as_uri()
    page.goto(address, wait_until="networkidle")
    expect(page.get_by_role("heading", name=swept.folder().name)).to_be_visible()
    picture("report")
    expect_sorting(page)
    assert {url for url in asked if not url.startswith("data:")} == {address}
