"""Small sweeps on disk, as a session leaves them, and a client that writes down what it is asked to do."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from src.config.identity import budget
from src.config.schema import Config
from src.data.load import load
from src.ledger.database import Ledger
from src.ledger.events import EpochEnded, Event, Finished, Started
from src.ledger.files import write_arrays
from src.ledger.history import History
from src.ledger.objective import ACCURACY
from src.ledger.records import Epoch, Evaluation, File, Invocation, Point, PointState, Record, Role, Trial
from src.ledger.sweep_folder import create_or_check, open_sweep, write_last
from src.tracking.runs import TrackedSweep
from tests.unit.examples import config, epoch, write_npz

VALUES = ("relu", "tanh", "elu")
NETWORK = ("architecture=dnn", "architecture.units=[4]")


def configured(folder: Path, *overrides: str) -> Config:
    """A search of three activations on small images, whose folders are the test's own."""
    data = folder / "corners.npz"
    if not data.is_file():
        write_npz(data)
    paths = f"paths.sweeps={folder}/sweeps", f"paths.mlruns={folder}/mlruns", f"data.path={data}"
    space = f"search.space.activation.choice=[{','.join(VALUES)}]"
    return config("data=npz", *NETWORK, "training.epochs=2", "search=activations", space, *paths, *overrides)


def invocation(chosen: Config, number: int = 1) -> Invocation:
    """A start of the sweep, on a machine of its own."""
    versions = {"git": "abc123", "keras": "3.15"}
    return Invocation(number, 1000.0 + number, 2000.0, "somewhere", 1, budget(chosen), versions)


def point(number: int) -> Point:
    """The activation of that number."""
    value = VALUES[number - 1]
    configuration = config(*NETWORK, f"activation={value}").trial
    return Point(number, {"activation": value}, configuration, PointState.FEASIBLE, parameters=100 + number)


def history_of(chosen: Config, *trials: Trial) -> History:
    """The records of a sweep with these trials."""
    history = History(ACCURACY)
    play(history, invocation(chosen), *(point(number) for number in (1, 2, 3)), *trials)
    return history


def trial(number: int, role: Role = Role.SEARCH, repeat: int = 0, **changed: Any) -> Trial:
    """A trial of the point of the same number."""
    return replace(Trial(number, number, role, repeat, 7), **changed)


def play(history: History, *events: Event | Record) -> None:
    """Let these happen."""
    for event in events:
        history.apply(event, 0)


# ------------------------------------------------------------------------------------ sweeps on disk


@dataclass
class Stored:
    """A sweep's folder with its open ledger."""

    chosen: Config
    path: Path
    ledger: Ledger

    @property
    def history(self) -> History:
        """The ledger's records."""
        return self.ledger.history

    def play(self, *events: Event | Record) -> None:
        """Let these happen, and write them down."""
        for event in events:
            self.ledger.save(event)

    def weights(self, number: int, seed: int = 1) -> File:
        """The weights of a trial's best epoch, as a worker writes them."""
        from src.training.engine import input_spec
        from src.training.network import build_network

        configuration = self.history.point(number).configuration
        assert configuration
        model = build_network(configuration, input_spec(load(self.chosen.data)), seed)
        arrays = {variable.path: variable.numpy() for variable in model.weights}
        return write_arrays(self.path, f"checkpoints/{number}-{seed}-best.npz", arrays)

    def finish(self, number: int, *epochs: Epoch) -> None:
        """A trial is trained for these epochs."""
        ended = [EpochEnded(number, one, None) for one in epochs]
        self.play(Started(number, 1), *ended, Finished(number, self.weights(number)))

    def evaluate(self, number: int) -> None:
        """A trial's best epoch is evaluated on the test data."""
        import numpy as np

        chances = np.full((len(load(self.chosen.data).test), 3), 1 / 3, np.float32)
        predictions = write_arrays(self.path, f"models/{number}-test.npz", {"probabilities": chances})
        best = self.history.trial(number).best_epoch
        self.play(Evaluation(number, best, 0.5, 0.75, 3000.0, predictions))


def make_sweep(folder: Path, name: str, *overrides: str) -> Stored:
    """A sweep of three points with a trial each, none of which has begun."""
    chosen = configured(folder, *overrides)
    path = folder / "sweeps" / name
    create_or_check(path, chosen, load(chosen.data).digest)
    write_last(path, chosen, "python -m src.sweep search=activations")
    stored = Stored(chosen, path, Ledger.open(path, ACCURACY))
    stored.play(invocation(chosen), *(point(number) for number in (1, 2, 3)), *(trial(number) for number in (1, 2, 3)))
    return stored


def half_done(folder: Path, name: str, *overrides: str) -> Stored:
    """A sweep whose first trial is finished and whose second is being trained."""
    stored = make_sweep(folder, name, *overrides)
    stored.finish(1, epoch(1, 0.5), epoch(2, 0.6))
    stored.play(Started(2, 1), EpochEnded(2, epoch(1, 0.7), None))
    return stored


def complete(stored: Stored) -> None:
    """What was half done is finished, and its winner, trial 2, evaluated."""
    stored.play(EpochEnded(2, epoch(2, 0.8), None), Finished(2, stored.weights(2)))
    stored.finish(3, epoch(1, 0.3), epoch(2, 0.4))
    stored.evaluate(2)


# ------------------------------------------------------------------------------------ a fake client


@dataclass
class FakeClient:
    """In the place of MLflow's: notes each call by its name; answers with what it was given for that name."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append((name, arguments, named))
            answer = self.answers.get(name)
            return answer(*arguments, **named) if callable(answer) else answer

        return call

    def names(self) -> list[str]:
        """What was asked for, in order."""
        return [name for name, _, _ in self.calls]

    def of(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """The arguments of all calls of one name."""
        return [(arguments, named) for called, arguments, named in self.calls if called == name]

    def tags(self) -> dict[str, str]:
        """All tags that were set, one by one or together."""
        together = [tag for _, named in self.of("log_batch") for tag in named.get("tags", ())]
        return {tag.key: tag.value for tag in together} | {key: value for (_, key, value), _ in self.of("set_tag")}

    def metrics(self) -> list[tuple[str, float, int, int]]:
        """All points that were logged: key, value, milliseconds and step."""
        points = [point for _, named in self.of("log_batch") for point in named.get("metrics", ())]
        return [(point.key, point.value, point.timestamp, point.step) for point in points]


def run_of(identifier: str, params: dict[str, str] | None = None, **tags: str) -> Any:
    """A run as MLflow's client gives it. In names of tags `_` stands for a dot."""
    named = {key.replace("_", "."): value for key, value in tags.items()}
    return SimpleNamespace(
        info=SimpleNamespace(run_id=identifier), data=SimpleNamespace(tags=named, params=params or {})
    )


class Page(list[Any]):
    """A page of found runs, with the token of the next."""

    def __init__(self, runs: list[Any], token: str = "") -> None:
        super().__init__(runs)
        self.token = token


def tracked(stored: Stored, client: Any) -> TrackedSweep:
    """A sweep as the mirror's functions take it."""
    return TrackedSweep(client, stored.chosen, open_sweep(stored.path), load(stored.chosen.data), "5")
