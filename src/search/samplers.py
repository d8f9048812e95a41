"""Who proposes a point: proposal n follows from (space, seed, n, the points before it and their results), nothing else."""

import random
import warnings
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from src.base.hashing import stable_seed
from src.base.processes import silenced
from src.config.schema import Search
from src.ledger.records import Values, point_key
from src.search.points import GRID_LIMIT, Space, is_active, options, size, without_inactive
from src.search.space import Choice, Dimension, Range

STARTUP = 10  # points drawn at random that can be trained, before results guide a strategy
DRAWS = 100  # of a random point, before the unseen points of a finite space are enumerated
PARZEN_DRAWS = 20  # of the Parzen estimator, before a point is drawn at random
CANDIDATES = 1000  # unseen points that the Gaussian process may choose from, where its first choice was seen
GUIDED = ("bayesian", "tpe")

Results = Sequence[tuple[Values, float]]  # points with their scores; lower is better


def propose(search: Search, space: Space, number: int, seen: Collection[str], results: Results = ()) -> Values | None:
    """The point of that number, or None where there is none left: first those to start with, then the strategy's.

    `seen` holds `point_key` of all points proposed before, in any order; `results`, if there are any to go by, has them with their scores.
    """
    if number < len(space.start):
        return space.start[number]
    if search.strategy == "grid":
        place = number - len(space.start)
        return space.rest[place] if place < len(space.rest) else None
    if results:
        ask = {"bayesian": by_gaussian_process, "tpe": by_parzen_estimator}[search.strategy]
        if (values := ask(space, results, stable_seed(search.seed, number), seen)) is not None:
            return values
    return random_point(space, search.seed, number, seen)


def random_point(space: Space, seed: int, number: int, seen: Collection[str]) -> Values | None:
    """A point drawn at random by keras-tuner's hyperparameters, none twice while unseen ones are left."""
    for draw in range(DRAWS):
        values = sample(space.dimensions, seed, number, draw)
        if point_key(values) not in seen:
            return values
    if size(space.dimensions) == float("inf"):
        return None
    left = [values for values in space.grid if point_key(values) not in seen]
    return left[stable_seed(seed, number) % len(left)] if left else None


def sample(dimensions: list[Dimension], seed: int, number: int, draw: int) -> Values:
    """One point, drawn without regard to the others."""
    parameters = enumerate(declare(dimensions).space)
    drawn = {one.name: one.random_sample(stable_seed(seed, number, draw, index)) for index, one in parameters}
    return to_values(dimensions, drawn)


def declare(dimensions: list[Dimension]) -> Any:
    """keras-tuner's hyperparameters of the space; choices and steps by their index.

    (Its `Choice` refuses lists and None and turns booleans into numbers; its stepped `Float` never
    yields the maximum.)
    """
    with silenced():
        import keras_tuner  # imports TensorFlow

    space = keras_tuner.HyperParameters()
    for dimension in dimensions:
        if is_unstepped(dimension):
            assert isinstance(dimension, Range)
            add = space.Int if dimension.whole else space.Float
            add(dimension.key, dimension.low, dimension.high, sampling="log" if dimension.log else "linear")
        else:
            space.Choice(dimension.key, list(range(len(options(dimension)))))
    return space


def is_unstepped(dimension: Dimension) -> bool:
    """Whether its values are drawn from the range itself."""
    return not isinstance(dimension, Choice) and dimension.step is None


def decode(dimension: Dimension, value: Any) -> Any:
    """A hyperparameter's value as the dimension's own."""
    if is_unstepped(dimension):
        return int(value) if dimension.whole else float(value)  # type: ignore[union-attr]
    return options(dimension)[value]


def encode(dimension: Dimension, value: Any) -> Any:
    """A dimension's value as the hyperparameter's."""
    if is_unstepped(dimension):
        return value
    known = options(dimension)
    if isinstance(dimension, Range):  # a point to start with may lie between the steps
        return min(range(len(known)), key=lambda place: abs(known[place] - value))
    return [value == one and type(value) is type(one) for one in known].index(True)


def to_values(dimensions: list[Dimension], found: dict[str, Any]) -> Values:
    """The point of a value for each hyperparameter."""
    return without_inactive(dimensions, {d.key: decode(d, found[d.key]) for d in dimensions})


def by_gaussian_process(space: Space, results: Results, seed: int, seen: Collection[str]) -> Values | None:
    """What keras-tuner's Bayesian oracle proposes; if it was seen before, the unseen point that its process likes best."""
    dimensions, oracle = space.dimensions, make_oracle(space.dimensions, results, seed)
    with warnings.catch_warnings(), threadpool_limits(1):  # of its many small products more threads are slower
        warnings.simplefilter("ignore")  # of fits that do not converge
        values = to_values(dimensions, oracle.populate_space("next")["values"])
        if point_key(values) not in seen:
            return values
        if not (left := unseen_points(space, seed, seen)):
            return None
        mean, deviation = oracle.gpr.predict(
            np.array([to_vector(oracle, dimensions, p) for p in left]), return_std=True
        )
    return left[int(np.argmin(mean - oracle.beta * deviation))]


def make_oracle(dimensions: list[Dimension], results: Results, seed: int) -> Any:
    """keras-tuner's Bayesian oracle in memory, with these results as its trials."""
    space = declare(dimensions)
    import keras_tuner
    from keras_tuner.engine.trial import Trial

    objective = keras_tuner.Objective("score", "min")
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective, max_trials=len(results) + 1, num_initial_points=1, seed=seed, hyperparameters=space
    )
    for number, (values, score) in enumerate(results):
        own = space.copy()
        own.values = {d.key: encode(d, values[d.key]) for d in dimensions if is_active(d, values)}
        trial = Trial(own, trial_id=str(number), status="COMPLETED")
        trial.score = score
        oracle.trials[trial.trial_id] = trial
    return oracle


def to_vector(oracle: Any, dimensions: list[Dimension], values: Values) -> list[float]:
    """A point as the oracle sees it: a number from 0 to 1 for each dimension; the default's where it is inactive."""
    pairs = zip(dimensions, oracle.hyperparameters.space, strict=True)
    return [p.value_to_prob(encode(d, values[d.key]) if is_active(d, values) else p.default) for d, p in pairs]


def unseen_points(space: Space, seed: int, seen: Collection[str]) -> list[Values]:
    """Points that were not proposed: all of a small space, else some at random."""
    if size(space.dimensions) <= GRID_LIMIT:
        left = [values for values in space.grid if point_key(values) not in seen]
        return random.Random(seed).sample(left, min(len(left), CANDIDATES))
    drawn = (sample(space.dimensions, seed, 0, draw) for draw in range(CANDIDATES // 5))
    return [values for values in drawn if point_key(values) not in seen]


def by_parzen_estimator(space: Space, results: Results, seed: int, seen: Collection[str]) -> Values | None:
    """What Optuna's tree-structured Parzen estimator draws (Bergstra et al., 2011), of all dimensions together; None
    where it draws nothing new."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kinds = {d.key: distribution(d) for d in space.dimensions}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls `multivariate` and `group` experimental
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=1, multivariate=True, group=True)
        study = optuna.create_study(sampler=sampler)
        for values, score in results:
            own = {d.key: encode(d, values[d.key]) for d in space.dimensions if is_active(d, values)}
            known = {key: kinds[key] for key in own}
            study.add_trial(optuna.trial.create_trial(params=own, distributions=known, value=score))
        for _ in range(PARZEN_DRAWS):
            values = to_values(space.dimensions, study.ask(kinds).params)
            if point_key(values) not in seen:
                return values
    return None


def distribution(dimension: Dimension) -> Any:
    """A dimension as Optuna has it: in order where its values are numbers that rise, else one of some."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if is_unstepped(dimension):
        assert isinstance(dimension, Range)
        if dimension.whole:
            return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    known = options(dimension)
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    if is_number and known == sorted(known):
        return IntDistribution(0, len(known) - 1)
    return CategoricalDistribution(range(len(known)))
