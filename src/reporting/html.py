"""The report of a sweep: one HTML file that opens anywhere, offline, with its figures and tables as files beside it."""

import base64
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, select_autoescape

from src.analysis.conclusions import answer, compare_by_key, compare_to_first, judge_values, over_images
from src.analysis.contrasts import Comparison
from src.analysis.importance import importance
from src.analysis.ranking import PointResult, best_trial, evaluation_of, final_trial, point_results, rank_points
from src.analysis.tables import left_out, point_table, trial_table
from src.base.disk import write_durably
from src.base.errors import UserError
from src.base.text import last, render, show, show_metric, show_seconds, spans
from src.data.dataset import Dataset
from src.figures import of_images, of_keys, of_sweeps, of_trials, style
from src.figures.style import Figure
from src.ledger.files import DamagedError, read_arrays
from src.ledger.history import History
from src.ledger.records import Role, TrialState
from src.ledger.sweep_folder import Sweep, commands

FEW = 0.1  # of the variance predicted by the forest, below which what mattered is not said


@dataclass
class Section:
    """A heading with sentences, figures and a table."""

    heading: str
    sentences: list[str] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    table: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""

    @property
    def keys(self) -> list[str]:
        """Columns that hold something."""
        first = self.table[0] if self.table else {}
        return [key for key in first if any(row[key] not in (None, "") for row in self.table)]

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Names, and whether they hold text."""
        return [{"name": last(key), "text": any(is_text(row[key]) for row in self.table)} for key in self.keys]

    @property
    def rows(self) -> list[list[dict[str, str]]]:
        """Cells: what is shown, and what is sorted by."""
        return [[cell(key, row[key]) for key in self.keys] for row in self.table]


def write(sweep: Sweep, history: History, data: Dataset | None) -> Path:
    """Write `report/report.html`, its figures as PNG and its tables as CSV into the sweep's folder; returns its path.

    `data` is for the test images; without it they are left out. Raises OSError where the disk is full.
    """
    folder = sweep.path / "report"
    folder.mkdir(exist_ok=True)
    sections = [section for section in make_sections(sweep, history, data, Pictures(folder)) if has_content(section)]
    for name, table in (("trials", trial_table(history)), ("points", point_table(history))):
        write_durably(folder / f"{name}.csv", (render(table, "csv") + "\n").encode())
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape())
    report = environment.get_template("report.html").render(
        name=sweep.name,
        facts=facts(sweep, history),
        sentences=answer(sweep, history, data),
        sections=sections,
        commands=commands(sweep),
        configuration=yaml.safe_dump(sweep.frozen, sort_keys=False),
        versions=yaml.safe_dump({"versions": history.invocations[-1].environment}, sort_keys=False),
    )
    write_durably(folder / "report.html", report.encode())
    return folder / "report.html"


@dataclass
class Pictures:
    """Saves figures in a folder, and gives them to the report."""

    folder: Path

    def save(self, name: str, figure: Figure | None, caption: str) -> list[dict[str, Any]]:
        """A figure as file and as data; nothing of none."""
        if figure is None:
            return []
        path = style.save(figure, self.folder / f"{name}.png")
        data = base64.b64encode(path.read_bytes()).decode()
        return [{"data": data, "caption": caption, "width": int(figure.get_figwidth() * 96)}]


def make_sections(sweep: Sweep, history: History, data: Dataset | None, pictures: Pictures) -> Iterator[Section]:
    """The report from top to bottom."""
    if not rank_points(history):
        yield Section("Trials", table=trial_table(history))
        return
    yield points_section(sweep, history, pictures)
    yield from (
        key_section(sweep, history, key, pictures)
        for key in of_keys.keys_that_vary(point_results(history, Role.SEARCH))
    )
    yield mattered_section(history, pictures)
    yield cost_section(history, pictures)
    yield model_section(sweep, history, data, pictures)
    yield Section("Not trained", table=[{"points": spans(n), "why": reason} for reason, n in left_out(history).items()])
    yield Section("All trials", table=trial_table(history), note="Click on a column to sort by it. Also in trials.csv.")


def points_section(sweep: Sweep, history: History, pictures: Pictures) -> Section:
    """Who is ahead."""
    found = rank_points(history)
    alike = [one for one in found if one.role == found[0].role]
    words = {str(one.point.number): f"point {one.point.number}: {one.point.title}" for one in found}
    note = "Means and standard deviations over seeds. Click on a column to sort by it. Also in points.csv."
    section = Section("Points, the best first", table=point_table(history), note=note)
    if len(alike) > 1:
        with say_damage(section):
            comparison = compare_to_first(sweep.path, history, alike)
            figure = of_sweeps.ahead(comparison, history.objective, words)
            section.figures = pictures.save("ahead", figure, describe_ahead(comparison, history, found))
    return section


def describe_ahead(comparison: Comparison, history: History, found: Sequence[PointResult]) -> str:
    """What the figure of `found` points against the first shows: which points, and what the intervals cover."""
    said = "How far each point is behind the first, over the seeds that both have"
    if any(contrast.has_interval for contrast in comparison.ahead):
        is_single = all(contrast.blocks <= 1 for contrast in comparison.ahead)
        over = "images only, since they share one seed" if is_single else "seeds and images"
        over += ", or images only where they share one seed" if over_images(comparison) and not is_single else ""
        said += f", with its 95% interval over {over}. All intervals hold together."
    else:
        said += ". There are too few seeds for intervals."
    others = len(comparison.ahead)
    said += f" The first {of_sweeps.SHOWN} of {others}." if others > of_sweeps.SHOWN else ""
    said += " Only points on fresh seeds." if len(comparison.groups) < len(found) else ""
    is_pruned = any(trial.state == TrialState.PRUNED for trial in history.trials)
    return said + (" Pruned points are left out." if is_pruned and found[0].role == Role.SEARCH else "")


def key_section(sweep: Sweep, history: History, key: str, pictures: Pictures) -> Section:
    """The effect of one key."""
    section = Section(key)
    with say_damage(section):
        comparison = compare_by_key(sweep.path, history, key)
        values = [group.label for group in comparison.groups]
        if len(values) > len(style.COLOURS) + 1 or not any(contrast.blocks for contrast in comparison.ahead):
            return section  # too many to show, or no two trials differ in this alone
        section.sentences = judge_values(history, comparison, key)
        is_corrected = any(contrast.has_interval for contrast in comparison.ahead)
        caption = (
            f"Medians over all trials trained to the end, by {key}; the bands hold the middle two thirds. The sentence "
            "compares only trials that differ in nothing else"
        ) + (", corrected for all pairs of values (not for the number of keys)." if is_corrected else ".")
        section.figures = pictures.save(f"curves-{key}", of_sweeps.curves_by(history, key, values), caption)
    return section


def mattered_section(history: History, pictures: Pictures) -> Section:
    """Which keys account for the differences."""
    section = Section("What mattered")
    found = importance(history)
    ranked = list(found.shares) if found else []
    if found and found.explained >= FEW:
        caption = "How much worse a random forest predicts the points once a key is shuffled."
        section.figures += pictures.save(
            "importance", of_sweeps.importance_bars(found.shares, found.explained), caption
        )
    elif found:
        section.sentences = [
            "The keys do not predict which point does well: a random forest fitted to them is no better than the mean."
        ]
    section.figures += pictures.save(
        "effects",
        of_keys.effects(history),
        "Each point by the value of each key; the line joins the medians. Not paired: other keys may differ too.",
    )
    if found and len(ranked) > 1 and found.explained >= FEW:
        figure = of_keys.heat_map(history, ranked[0], ranked[1])
        section.figures += pictures.save("heat-map", figure, "The two keys that mattered most, together.")
    caption = "A line is a point; the best one in orange."
    section.figures += pictures.save("parallel", of_keys.parallel(history), caption)
    return section


def cost_section(history: History, pictures: Pictures) -> Section:
    """What it cost."""
    shown = pictures.save("trade-off", of_sweeps.trade_off(history), "Is a smaller or faster network as good?")
    shown += pictures.save(
        "progress", of_sweeps.progress(history), "When the best came: would a shorter search have done?"
    )
    return Section("What it cost", figures=shown)


def model_section(sweep: Sweep, history: History, data: Dataset | None, pictures: Pictures) -> Section:
    """The winner's curves, and its predictions of the test images."""
    model, first = final_trial(history), best_trial(history)
    if model is None or first is None:
        return Section("The model")
    heading = f"trial {first.number} · {history.point(first.point).title}"
    shown = pictures.save("winner", of_trials.curves(first.epochs, first.best_epoch, heading), "The winner's training.")
    evaluation = evaluation_of(history, model)
    if evaluation and evaluation.predictions and data:
        try:
            probabilities = read_arrays(sweep.path, evaluation.predictions)["probabilities"]
        except DamagedError as error:
            return Section("The model", [f"{error}."], shown)
        shown += pictures.save(
            "confusion", of_images.confusion(data.test, probabilities), "Labels and predictions of the test images."
        )
        shown += pictures.save("mistakes", of_images.mistakes(data.test, probabilities), "The worst mistakes.")
    return Section("The model", figures=shown)


@contextmanager
def say_damage(section: Section) -> Iterator[None]:
    """A file that is damaged is said in its section; the report has all the rest."""
    try:
        yield
    except UserError as error:
        section.sentences = [str(error)]


def facts(sweep: Sweep, history: History) -> list[str]:
    """A line on what this is."""
    done = [trial for trial in history.trials if trial.state == TrialState.FINISHED]
    seconds = sum(epoch.seconds for trial in history.trials for epoch in trial.epochs)
    when = time.strftime("%Y-%m-%d", time.localtime(history.invocations[0].started))
    strategy, data = sweep.frozen["search"]["strategy"], sweep.frozen["data"]
    return [
        when,
        f"{strategy} search on {data['name']} (digest {data['digest'][:8]})",
        f"{len(done)} of {len(history.trials)} trials finished",
        f"{show_seconds(seconds)} of training",
    ]


def has_content(section: Section) -> bool:
    """Whether there is anything to show."""
    return bool(section.sentences or section.figures or section.table)


def is_text(value: Any) -> bool:
    """Whether a cell is not a number."""
    return value is not None and not isinstance(value, int | float)


def cell(key: str, value: Any) -> dict[str, str]:
    """A cell of a table: what is shown, and what is sorted by."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else show(value)
    if key.startswith("val_") and value is not None:
        text = show_metric(value)
    if key == "seconds" and value is not None:
        text = f"{value:.1f}"
    if key == "parameters":
        text = f"{value:,}"
    return {"text": text, "value": "" if value is None else str(value)}
