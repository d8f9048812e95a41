"""Kills sweeps at every step and at random, lets them finish, and compares them with one that nobody killed.

    python -m tests.functional.torture                       every step once, then random times: 1,000 kills
    python -m tests.functional.torture --kills 40 --every 20     a short form

Everything is imported once; each sweep then runs in processes forked from here, before any graph is built, so that
a restart costs a second. That a forked sweep gives the bits of a fresh command is the first thing compared.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from src.base.text import show_seconds
from src.config.compose import CONF
from src.reporting.boards import new_table
from tests.functional.torture.results import Result, compare, result_of
from tests.functional.torture.steps import STEPS, VICTIMS, import_everything, instrument, kill
from tests.functional.torture.sweeps import TIMEOUT, Arena, end_orphans, finish, make_arena, members, start, wait


def kill_at_every_step(arena: Arena, expected: Result, every: int, limit: float) -> int:
    """A sweep killed at step 1, one at step 2, …, each then finished; how many steps there are."""
    for target in range(1, sys.maxsize, every):
        folder, config = arena.new_sweep()
        victim = VICTIMS[(target // every) % len(VICTIMS)]
        STEPS.reset(target, victim)
        child = start(config, folder / "log")
        code = wait(child, TIMEOUT)
        end_orphans(arena, child)
        reached = STEPS.count.value >= target
        arena.kills[f"{victim}, at a step"] += reached
        if code != 0:
            finish(arena, config, folder / "log")
        compare(arena, folder, expected)
        shutil.rmtree(folder)
        if not reached or time.monotonic() > limit:
            return target
    return 0


def kill_at_random(arena: Arena, expected: Result, seed: int, kills: int) -> None:
    """One sweep after the other, each killed at random times until it has come to its end. They begin without MLflow's
    database, so that its creation is killed too."""
    rng = random.Random(seed)
    while sum(arena.kills.values()) < kills:
        folder, config = arena.new_sweep(has_database=False)
        code: int | None = None
        while code != 0 and sum(arena.kills.values()) < kills:
            STEPS.reset()
            child = start(config, folder / "log")
            code = wait(child, rng.uniform(0.05, 4))
            while code is None:
                victim = rng.choice(VICTIMS)
                living = members(child)
                kill(victim, child, rng.choice(living).pid if living else child)
                arena.kills[f"{victim}, at random"] += 1
                code = wait(child, rng.uniform(0.05, 4) if victim == VICTIMS[2] else 10)
            end_orphans(arena, child)
        if code != 0:
            finish(arena, config, folder / "log")
        compare(arena, folder, expected)
        shutil.rmtree(folder)


def main(
    kills: Annotated[int, typer.Option(help="In all.")] = 1000,
    every: Annotated[int, typer.Option(help="Kill at each so manieth step.")] = 1,
    minutes: Annotated[float, typer.Option(help="For the kills at every step, at most.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the random times.")] = 0,
) -> None:
    """Kill, finish, compare, and print what was found: nothing, if all is well. Exits with 1 otherwise."""
    began = time.monotonic()
    console = Console(width=100, highlight=False)
    with tempfile.TemporaryDirectory() as root:
        arena = make_arena(Path(root))
        fresh, _ = arena.new_sweep()
        command = [sys.executable, "-m", "src.sweep", *arena.overrides(fresh)]
        subprocess.run(command, check=True, capture_output=True, cwd=CONF.parent)
        expected = result_of(fresh)
        import_everything()
        instrument()
        folder, config = arena.new_sweep()
        finish(arena, config, folder / "log")
        compare(arena, folder, expected)
        console.print(f"a forked sweep beside a fresh command: {'equal' if not +arena.findings else +arena.findings}")
        steps = kill_at_every_step(arena, expected, every, time.monotonic() + minutes * 60)
        kill_at_random(arena, expected, seed, kills)
    table = new_table("killed", "kills", text=("killed",))
    for what, count in sorted(arena.kills.items()):
        table.add_row(what, str(count))
    console.print(table)
    console.print(f"{arena.sweeps} sweeps of about {steps} steps in {show_seconds(time.monotonic() - began)}")
    for what in sorted(arena.findings):
        console.print(f"{what}: {arena.findings[what]}")
    sys.exit(1 if +arena.findings else 0)


if __name__ == "__main__":
    typer.run(main)
