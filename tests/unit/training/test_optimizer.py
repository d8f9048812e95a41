"""Keras' optimizers get every argument, and the learning rate follows its schedule."""

import math

import keras
import numpy as np
import pytest

from src.training.optimizer import OPTIMIZERS, WarmUp, make_optimizer, make_schedule
from tests.unit.examples import trial_config, use_one_thread
from tests.unit.training.test_network import DNN, model_of, options

use_one_thread()


def test_every_optimizer_is_known() -> None:
    """Each option has Keras' class of that name."""
    assert set(OPTIMIZERS) == set(options("optimizer"))


@pytest.mark.parametrize("name", options("optimizer"))
@pytest.mark.parametrize("schedule", options("schedule"))
def test_optimizers(name: str, schedule: str) -> None:
    """Keras' optimizer of that name gets every argument, with any schedule."""
    overrides = [f"optimizer={name}", f"schedule={schedule}", "optimizer.learning_rate=0.5"]
    optimizer = model_of(*DNN, *overrides, "optimizer.weight_decay=0.03").optimizer
    chosen = trial_config(*overrides).optimizer
    wanted = {**chosen.model_dump(exclude={"name", "learning_rate"}), "weight_decay": 0.03}
    got = optimizer.get_config()
    assert type(optimizer).__name__.lower() == name and float(optimizer.learning_rate) == 0.5
    assert {key: got[key] for key in wanted} == wanted


def rates(schedule: str, *steps: int) -> list[float]:
    """The learning rates at these steps, of 0.1 at most, 4 epochs of 10 steps."""
    made = make_schedule(trial_config(*schedule.split()).schedule, 0.1, 10, 4)
    return [float(made(step)) if callable(made) else made for step in steps]


@pytest.mark.parametrize(
    ("schedule", "at"),
    [
        ("schedule=constant", {0: 0.1, 39: 0.1}),
        ("schedule.warmup_epochs=2", {0: 0.005, 9: 0.05, 19: 0.1, 20: 0.1, 39: 0.1}),
        ("schedule=cosine", {0: 0.1, 10: 0.05 * (1 + math.sqrt(0.5)), 20: 0.05, 40: 0.0}),
        ("schedule=cosine schedule.final=0.2", {0: 0.1, 20: 0.06, 40: 0.02}),
        ("schedule=cosine schedule.warmup_epochs=2", {0: 0.005, 19: 0.1, 20: 0.1, 30: 0.05, 40: 0.0}),
        ("schedule=exponential", {0: 0.1, 5: 0.1 * 0.9**0.5, 10: 0.09, 30: 0.1 * 0.9**3}),
        ("schedule=exponential schedule.warmup_epochs=1 schedule.decay=0.5", {4: 0.05, 10: 0.1, 20: 0.05, 40: 0.0125}),
    ],
)
def test_schedules(schedule: str, at: dict[int, float]) -> None:
    """A warm-up rises by equal steps, a cosine ends at the last epoch, an exponential falls by its factor an epoch."""
    assert rates(schedule, *at) == pytest.approx(list(at.values()), abs=1e-7)


def test_the_last_epoch_ends_a_cosine() -> None:
    """It is the budget's: the same trial with another last epoch has another learning rate on the way."""
    chosen = trial_config("schedule=cosine", "optimizer.learning_rate=0.1")
    short, long = (make_optimizer(chosen, steps_per_epoch=10, epochs=epochs) for epochs in (4, 8))
    assert float(short.learning_rate) == float(long.learning_rate) == pytest.approx(0.1)
    for optimizer, half in ((short, 20), (long, 40)):
        optimizer.iterations.assign(half)
        assert float(optimizer.learning_rate) == pytest.approx(0.05)


def test_a_warm_up_can_be_built_again() -> None:
    """As Keras does from what a saved model says of it."""
    schedule = make_schedule(trial_config("schedule.warmup_epochs=2").schedule, 0.1, 10, 4)
    again = WarmUp(**schedule.get_config())
    assert [float(again(step)) for step in (0, 9, 30)] == [float(schedule(step)) for step in (0, 9, 30)]


@pytest.mark.parametrize("overrides", [(), ("optimizer=adamw",), ("optimizer.amsgrad=true",)])
def test_adam_steps_as_keras_does(overrides: tuple[str, ...]) -> None:
    """Steps by one operation lead where Keras' own lead, to rounding; the moments too."""
    ours = make_optimizer(trial_config(*overrides, "optimizer.learning_rate=0.1"), 1, 1)
    keras_own = getattr(keras.optimizers, type(ours).__name__).from_config(ours.get_config())
    random, start = np.random.default_rng(0), np.linspace(-1, 1, 6, dtype=np.float32)
    variables = [keras.Variable(start), keras.Variable(start)]
    for _ in range(20):
        gradient = random.normal(size=6).astype(np.float32)
        for optimizer, variable in zip((ours, keras_own), variables, strict=True):
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    for mine, theirs in zip([variables[0], *ours.variables], [variables[1], *keras_own.variables], strict=True):
        assert np.allclose(np.array(mine), np.array(theirs), rtol=1e-4, atol=1e-6)
    assert not np.allclose(np.array(variables[0]), start)
