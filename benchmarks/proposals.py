"""How long does a strategy take to propose a point, with so many results to go by?

    python -m benchmarks.proposals                  a few minutes

The space is that of `cnn_random`; the results are made up: a bowl around one point, and noise. Medians of three.
"""

import time
from statistics import median

import numpy as np
from hydra import compose, initialize_config_dir
from rich.console import Console

from src.config.compose import CONF, resolve, validate
from src.config.schema import Config
from src.ledger.records import Values, point_key
from src.reporting.boards import new_table
from src.search.points import Space
from src.search.samplers import propose, random_point
from src.search.space import parse

COUNTS = (20, 100, 200, 400, 800)


def main() -> None:
    """Print seconds for each strategy and number of results."""
    table = new_table("results", "bayesian", "tpe")
    for count in COUNTS:
        table.add_row(str(count), *(f"{measure(strategy, count):.2f} s" for strategy in ("bayesian", "tpe")))
    Console(width=80, highlight=False).print(table)


def measure(strategy: str, count: int) -> float:
    """Seconds of one proposal, the median of three."""
    config = configuration(strategy)
    space = Space(parse(config.search.space, config.as_written()))
    rng = np.random.default_rng(0)
    points: list[Values] = []
    for number in range(count):
        values = random_point(space, 0, number, set())
        assert values
        points.append(values)
    results = [(values, badness(values) + rng.normal(0, 0.02)) for values in points]
    seen = {point_key(values) for values in points}
    seconds = []
    for number in range(count, count + 3):
        start = time.perf_counter()
        propose(config.search, space, number, seen, results)
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def configuration(strategy: str) -> Config:
    """The sweep that would ask."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return validate(resolve(compose("config", overrides=["search=cnn_random", f"search.strategy={strategy}"])))


def badness(values: Values) -> float:
    """Lower is better."""
    rate = float(np.log10(values["optimizer.learning_rate"]))
    return (rate + 3) ** 2 + float(values["architecture.dense_dropout"] - 0.2) ** 2


if __name__ == "__main__":
    main()
