"""The rules of the pruners, on trials written by hand: how far each may train, and why one goes no further."""

from collections.abc import Collection
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.schema import Search
from src.ledger.records import Role, Trial, TrialState
from src.search.pruners import (
    Costs,
    Limit,
    Limits,
    bracket_sizes,
    expected_epochs,
    limits,
    num_kept,
    place_of,
    result,
    rungs,
)
from tests.unit.examples import config, epoch


def limits_of(
    pruner: str,
    *results: list[float],
    lost: Collection[int] = (),
    finished: Collection[int] = (),
    images: int = 100,
    **options: Any,
) -> Limits:
    """The limits of trials with these accuracies, an epoch each, of nine; the best two or one in three go on."""
    trials = [
        Trial(number, number, Role.SEARCH, 0, 0, epochs=[epoch(n, accuracy) for n, accuracy in enumerate(own, 1)])
        for number, own in enumerate(results, 1)
    ]
    for number in finished:
        trials[number - 1].state = TrialState.FINISHED
    search = config().search.model_copy(update={"pruner": pruner, "factor": 3, "keep": 2, **options})
    costs = Costs(images, lambda trial: -trial.number)
    return limits(search, trials, 9, lambda trial: trial.number in {*lost, *finished}, costs)


def test_all_wait_at_a_rung_until_the_last_is_there() -> None:
    """Then the best go on: of those with equal results the lower number."""
    assert limits_of("top_k", [0.1], [0.2, 0.3], [], []) == dict.fromkeys((1, 2, 3, 4), Limit(1))
    assert limits_of("top_k", [0.1], [0.2], [0.1], [0.3]) == {
        4: Limit(9),
        2: Limit(9),
        1: Limit(1, "place 3 of 4 after 1 epoch"),
        3: Limit(1, "place 4 of 4 after 1 epoch"),
    }


def test_the_certain_go_on_at_once() -> None:
    """Those whose place and the number of trials still open are together no more than go on; nobody is pruned before
    all are there, and nothing is certain where results propose more points."""
    assert limits_of("top_k", [0.1], [0.2, 0.3], []) == {1: Limit(1), 2: Limit(9), 3: Limit(1)}
    assert limits_of("halving", *[[0.1]] * 7, [0.9], []) == dict.fromkeys((3, 4, 5, 6, 7, 9), Limit(1)) | {
        8: Limit(3),
        1: Limit(3),
        2: Limit(1),
    }
    assert limits_of("top_k", [0.1], [0.2, 0.3], [], strategy="tpe") == dict.fromkeys((1, 2, 3), Limit(1))
    assert limits_of("top_k", [0.1], [0.2, 0.3], [], prefer="cheaper") == dict.fromkeys((1, 2, 3), Limit(1))


def test_the_cheaper_go_on_from_the_last_rung() -> None:
    """Of those within a standard error of the best, here two images of a hundred (1.4), the cheapest; trials here cost
    less the higher their number."""
    worse = "one within a standard error costs less"
    four = [[0.98], [0.97], [0.96], [0.95]]
    assert limits_of("top_k", *four, prefer="cheaper") == {
        2: Limit(9),
        1: Limit(9),
        3: Limit(1, "place 3 of 4 after 1 epoch"),
        4: Limit(1, "place 4 of 4 after 1 epoch"),
    }
    found = limits_of("top_k", *four, [0.97], prefer="cheaper")
    assert found[1] == Limit(1, f"place 1 of 5 after 1 epoch; {worse}") and found[2] == found[5] == Limit(9)
    assert limits_of("top_k", *four, [0.97]) == limits_of("top_k", *four, [0.97], prefer="cheaper", images=0)
    assert limits_of("top_k", [1.0], [1.0], [1.0], [0.99], prefer="cheaper")[1].reason.endswith(worse)
    first = limits_of("halving", *[[1.0]] * 6, prefer="cheaper")
    assert first[1] == first[2] == Limit(3)  # nothing is preferred before the last rung


def test_the_best_within_a_rung_counts() -> None:
    """Not what came after it, nor only its last epoch."""
    found = limits_of("top_k", [0.1, 0.4, 0.1, 0.9], [0.1, 0.5], [0.6, 0.1], rung=2)
    assert found == {3: Limit(9), 2: Limit(9), 1: Limit(2, "place 3 of 3 after 2 epochs")}


def test_the_lost_are_not_waited_for() -> None:
    """A trial that has failed has no place, but counts for how many go on; one stopped early has what it has."""
    found = limits_of("halving", [0.1, 0.1, 0.1], [0.5, 0.6], [0.3, 0.3], [], [0.2], [0.1], lost=[4], finished=[2])
    assert found == {
        2: Limit(3),
        3: Limit(3),
        5: Limit(1, "place 3 of 5 after 1 epoch"),
        1: Limit(1, "place 4 of 5 after 1 epoch"),
        6: Limit(1, "place 5 of 5 after 1 epoch"),
    }
    assert limits_of("halving", [0.5, 0.6], [0.3, 0.3, 0.7], [0.1], [], [], [], lost=[4, 5, 6], finished=[1]) == {
        2: Limit(9),
        1: Limit(3, "place 2 of 2 after 3 epochs"),
        3: Limit(1, "place 3 of 3 after 1 epoch"),
    }


def test_one_of_few_goes_on() -> None:
    """Fewer than the factor leave one."""
    search = config("search.pruner=halving").search
    assert [num_kept(search, count) for count in (1, 2, 3, 5, 6)] == [1, 1, 1, 1, 2]
    assert limits_of("halving", [0.1], [0.2]) == {2: Limit(3), 1: Limit(1, "place 2 of 2 after 1 epoch")}


def test_brackets() -> None:
    """The first take more trials, those with later first rungs fewer, over and over."""
    assert [bracket_sizes(count, 3) for count in (1, 2, 3)] == [[1], [3, 2], [9, 4, 3]]
    assert bracket_sizes(4, 2) == [8, 5, 4, 4]
    assert "".join(str(place_of(index, [3, 2, 1])) for index in range(13)) == "0001120001120"
    results = [[number / 100] for number in range(18)]
    found = limits_of("hyperband", *results)
    assert {number: limit.epochs for number, limit in found.items() if not limit.reason} == {
        **{18: 3, 17: 3, 9: 3},  # of the first bracket
        **dict.fromkeys((10, 11, 12, 13), 3),  # wait for the second's first rung
        **dict.fromkeys((14, 15, 16), 9),
    }
    assert found[16] == Limit(9) and found[1].reason == "place 11 of 11 after 1 epoch"


def test_asha_waits_for_nobody() -> None:
    """As soon as a trial is one of the best third at a rung it goes on; while others are open nobody is given up."""
    assert limits_of("asha", [0.1], [0.2], []) == dict.fromkeys((1, 2, 3), Limit(1))
    assert limits_of("asha", [0.1], [0.3], [0.2], []) == {1: Limit(1), 2: Limit(3), 3: Limit(1), 4: Limit(1)}
    first = [[accuracy] for accuracy in (0.1, 0.2, 0.3, 0.4, 0.5)]
    assert limits_of("asha", *first, [0.6, 0.6, 0.6])[6] == Limit(3)  # trial 5 is promoted too, and on its way
    assert limits_of("asha", *first, [0.6, 0.6, 0.6], lost=[5])[6] == Limit(9)


def test_asha_prunes_when_all_have_ended() -> None:
    """One of a rung goes on at least; the others learn their place."""
    assert limits_of("asha", [0.1], [0.2]) == {1: Limit(1, "place 2 of 2 after 1 epoch"), 2: Limit(3)}
    assert limits_of("asha", [0.1], [0.2, 0.2, 0.3], [0.3, 0.3, 0.2]) == {
        1: Limit(1, "place 3 of 3 after 1 epoch"),
        2: Limit(1, "place 2 of 3 after 1 epoch"),
        3: Limit(3, "place 2 of 2 after 3 epochs"),
    } | {2: Limit(9)}
    assert limits_of("asha", [0.1], [], lost=[2]) == {1: Limit(3), 2: Limit(1)}


def test_median() -> None:
    """Worse than the median of at least four earlier trials' best after as many epochs; equal is not worse."""
    four = [[0.1, 0.5], [0.6, 0.1], [0.7, 0.7], [0.1, 0.8, 0.0]]
    assert limits_of("median", *four[:3], [0.0, 0.0], rung=2) == dict.fromkeys((1, 2, 3, 4), Limit(4))
    found = limits_of("median", *four, [0.1, 0.64, 0.9], [0.1, 0.65], [0.9], [], rung=2)
    assert found[5] == Limit(2, "worse than the median of 4 after 2 epochs")
    assert found == dict.fromkeys((1, 2, 3, 4, 6), Limit(4)) | {5: found[5], 7: Limit(2), 8: Limit(2)}
    assert limits_of("median", *four, [0.1, 0.65], [0.1, 0.64], rung=2)[6].reason  # of five the middle one
    assert limits_of("median", [0.1] * 8, rung=2) == {1: Limit(9)}
    late = limits_of("median", *[[0.1, 0.1, 0.1, 0.5]] * 4, [0.1, 0.1, 0.1, 0.4, 0.9], rung=2)
    assert late[5] == Limit(4, "worse than the median of 4 after 4 epochs")


@pytest.mark.parametrize(
    ("pruner", "epochs"),
    [
        ("none", [0, 9, 18, 108, 360]),
        ("top_k", [0, 9, 18, 44, 72]),
        ("halving", [0, 9, 10, 26, 90]),
        ("hyperband", [0, 9, 10, 36, 144]),
        ("asha", [0, 9, 10, 26, 90]),
        ("median", [0, 9, 18, 69, 175]),
    ],
)
def test_expected_epochs(pruner: str, epochs: list[int]) -> None:
    """What a search of 0, 1, 2, 12 or 40 trials of nine epochs trains in all."""
    search = config().search.model_copy(update={"pruner": pruner, "rung": 1, "factor": 3, "keep": 4})
    assert [expected_epochs(search, count, 9) for count in (0, 1, 2, 12, 40)] == epochs


def waited_for(search: Search, trials: list[Trial], ends: Collection[int], until: int) -> dict[int, int]:
    """How far each trial of a search gets where all wait at every rung for the last: those in `ends` never get there."""
    reached = {trial.number: 0 for trial in trials}
    steps = [search.rung, until] if search.pruner == "top_k" else rungs(search.rung, search.factor, until)
    alive = trials
    for step in steps:
        reached |= {trial.number: min(step, len(trial.epochs)) for trial in alive}
        there = [trial for trial in alive if trial.number not in ends or len(trial.epochs) >= step]
        ranked = sorted(there, key=lambda trial: (*result(search, trial, step), trial.number))
        alive = ranked[: num_kept(search, len(alive))]
    return reached


@settings(max_examples=300, derandomize=True)
@given(
    st.sampled_from(["top_k", "halving"]),
    st.integers(1, 2),
    st.integers(2, 4),
    st.integers(3, 12),
    st.lists(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=12, max_size=12), min_size=1, max_size=20),
    st.sets(st.integers(1, 20)),
    st.randoms(use_true_random=False),
)
def test_no_trial_gets_further_than_by_waiting(
    pruner: str, rung: int, few: int, until: int, curves: list[list[float]], lost: set[int], random: Random
) -> None:
    """Whichever trial trains next, and whichever fail for good on their way: each gets as far as if all had waited at
    each rung, and no further."""
    search = config().search.model_copy(update={"pruner": pruner, "rung": rung, "factor": few, "keep": few})
    whole = [
        Trial(
            number,
            number,
            Role.SEARCH,
            0,
            0,
            epochs=[epoch(n, accuracy) for n, accuracy in enumerate(curve[:until], 1)],
        )
        for number, curve in enumerate(curves, 1)
    ]
    ends = {number: random.randrange(until) for number in lost if number <= len(curves)}
    for number, last in ends.items():
        del whole[number - 1].epochs[last:]
    trials = [Trial(trial.number, trial.number, Role.SEARCH, 0, 0) for trial in whole]

    def has_ended(trial: Trial) -> bool:
        return trial.number in ends and len(trial.epochs) == ends[trial.number]

    while True:
        found = limits(search, trials, until, has_ended)
        free = [t for t in trials if t.number in found and len(t.epochs) < found[t.number].epochs and not has_ended(t)]
        if not free:
            break
        trial = random.choice(free)
        trial.epochs.append(whole[trial.number - 1].epochs[len(trial.epochs)])
    assert {trial.number: len(trial.epochs) for trial in trials} == waited_for(search, whole, ends, until)
