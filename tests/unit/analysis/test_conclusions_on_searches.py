"""What is said of a search: whether its first place is significantly better, and whether it holds on fresh seeds."""

from pathlib import Path

import pytest

from src.analysis.conclusions import answer, describe_taken, judge_search
from src.ledger.events import Failed
from src.ledger.records import Cause, Evaluation, Invocation, Origin, TrialState
from src.ledger.sweep_folder import Sweep
from tests.unit.analysis.searches import IMAGES, confirmed, right, searched
from tests.unit.examples import add_trials, epoch, finish, history_of, measured, schedule_of, train_job


def test_a_search_by_chance(tmp_path: Path) -> None:
    """On one seed the first is not significantly different from most; what to do about it is said."""
    assert judge_search(tmp_path, searched(tmp_path, [[6], [5], [7], [35]])) == [
        "Trial 2 is not significantly different from 2 of the 3 others (one seed each): "
        "search.confirm=3 trains the best again on fresh seeds."
    ]


def test_pruned_trials_are_none_of_the_others(tmp_path: Path) -> None:
    """Where some were pruned, the others are those that were trained to the end."""
    history = searched(tmp_path, [[6], [5], [7], [35]])
    history.trial(4).state = TrialState.PRUNED
    assert judge_search(tmp_path, history)[0].startswith(
        "Trial 2 is not significantly different from any of the 2 others trained to the end ("
    )


def test_no_advice_to_do_what_is_being_done(tmp_path: Path) -> None:
    """A sweep that is about to confirm is not told to."""
    history = searched(tmp_path, [[6], [5], [7], [35]])
    history.invocations.append(Invocation(1, 0, 7, "here", 1, {"search": {"confirm": 3}}, {}))
    assert judge_search(tmp_path, history) == [
        "Trial 2 is not significantly different from 2 of the 3 others (one seed each)."
    ]


def test_no_advice_before_the_end(tmp_path: Path) -> None:
    """While trials are on their way, that is said, and not what would tell more after them."""
    history = searched(tmp_path, [[6], [5], [7], [35]])
    history.trial(4).state = TrialState.INTERRUPTED
    (text,) = judge_search(tmp_path, history)
    assert text.endswith("(one seed each); some trials have not finished yet.")


def test_a_search_on_one_seed(tmp_path: Path) -> None:
    """Far ahead on one seed is significantly better over the validation images, and no more is claimed."""
    (text,) = judge_search(tmp_path, searched(tmp_path, [[1], [36], [37], [35]]))
    assert text.startswith(
        "Trial 1 is significantly better than all others over the validation images only "
        "(one seed each, differences 85.00 to"
    )
    assert text.endswith("search.confirm=3 trains the best again on fresh seeds.")


def test_a_search_on_several_seeds(tmp_path: Path) -> None:
    """Points are named instead of trials, with how many seeds; the intervals cover seeds too."""
    (text,) = judge_search(tmp_path, searched(tmp_path, [[36, 35, 36], [1, 2, 1], [37, 37, 37], [36, 35, 34]]))
    assert text.startswith("Point 2 is significantly better than all others (3 seeds each, ")
    (text,) = judge_search(tmp_path, searched(tmp_path, [[6, 5], [5, 5], [7, 4], [6, 6]]))
    assert text == (
        "Point 2 is not significantly different from any of the 3 others (2 seeds each): "
        "more seeds may show a difference (search.repeats=4)."
    )


def test_the_first_of_the_table_is_the_first_of_the_sentence(tmp_path: Path) -> None:
    """A tie in accuracy goes to the lower loss, in the sentence as in the table."""
    history = history_of("training.epochs=1", "search.max_trials=2")
    measured(tmp_path, history, 1, right(5), [2.0] * IMAGES)
    measured(tmp_path, history, 2, right(5), [1.0] * IMAGES)
    (text,) = judge_search(tmp_path, history)
    assert text.startswith("Trial 2 is not significantly different from the other (one seed each)")


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare(tmp_path: Path, count: int) -> None:
    """Of no trial or one there is nothing to say."""
    history = history_of("training.epochs=1", "search.max_trials=2")
    for number in range(1, count + 1):
        measured(tmp_path, history, number, right(1))
    assert judge_search(tmp_path, history) == []


def test_trials_of_an_older_version(tmp_path: Path) -> None:
    """Without validation files: one seed says nothing of chance; several do, by their means."""
    history = history_of("training.epochs=1", "search.repeats=3")
    for number, accuracy in enumerate((0.5, 0.9, 0.5, 0.4), 1):
        finish(history, number, epoch(1, accuracy))
    (text,) = judge_search(tmp_path, history)
    assert text.startswith(
        "Trial 2 has the best val_accuracy (one seed each: too few to say how much of that is chance)"
    )
    for number, accuracy in enumerate((0.51, 0.9, 0.5, 0.39, 0.5, 0.91, 0.51, 0.4), 5):
        finish(history, number, epoch(1, accuracy))
    (text,) = judge_search(tmp_path, history)
    assert text.startswith("Point 2 is significantly better than all others (3 seeds each, ")


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    """The table stays; only the judgement is replaced by what is wrong."""
    history = searched(tmp_path, [[6], [5], [7], [35]])
    (tmp_path / "checkpoints" / "3-validation.npz").write_bytes(b"nothing")
    (text,) = judge_search(tmp_path, history)
    assert "checksum differs: trial 3 cannot be compared" in text


# --------------------------------------------------------------------------------------- fresh seeds


def test_the_first_place_holds(tmp_path: Path) -> None:
    """On fresh seeds too, significantly; what the others are behind is said."""
    history = confirmed(tmp_path, searched(tmp_path, [[6], [5], [7], [9]]), {2: [1, 2, 1], 1: [36, 35, 36]})
    first, second = judge_search(tmp_path, history)
    assert first == "The first place holds on 3 fresh seeds: point 2 (kernel=3 pool=2)."
    assert second.startswith("Point 2 is significantly better than point 1 (difference 85.83 points, 95% interval ")


def test_the_first_place_does_not_hold(tmp_path: Path) -> None:
    """Who was ahead, who is now, and that they are not significantly different, with the smaller of them."""
    history = confirmed(tmp_path, searched(tmp_path, [[6], [5], [7], [9]]), {2: [7, 6, 7], 1: [6, 6, 7]})
    first, second, third = judge_search(tmp_path, history)
    assert first == (
        "The first place does not hold: point 2 was ahead in the search; on 3 fresh seeds it is point 1 (kernel=3 pool=1)."
    )
    assert second.startswith("Point 1 and point 2 are not significantly different (difference 0.83 points")
    assert third == "The smallest of these is point 1, with 100 parameters."


def test_no_smallest_of_equal_sizes(tmp_path: Path) -> None:
    """Where all have the same number of parameters none is called the smallest."""
    history = searched(tmp_path, [[6], [5], [7], [9]])
    for point in history.points:
        point.parameters = 50
    assert len(judge_search(tmp_path, confirmed(tmp_path, history, {2: [7, 6, 7], 1: [6, 6, 7]}))) == 2


def test_one_point_confirmed(tmp_path: Path) -> None:
    """There is nothing to compare it to: its mean over seeds it was not chosen by."""
    history = confirmed(tmp_path, searched(tmp_path, [[6], [5], [7], [9]]), {2: [7, 9]})
    assert judge_search(tmp_path, history) == ["On 2 fresh seeds point 2 has a mean val_accuracy of 0.8000."]


def test_the_first_was_not_confirmed(tmp_path: Path) -> None:
    """A first place whose fresh seeds have all failed is not said to have been beaten."""
    history = searched(tmp_path, [[6], [5], [7], [9]])
    words = ("search.confirm=3", "search.confirm_repeats=1", "training.epochs=1")
    for trial in add_trials(schedule_of(*words, history=history)):
        if trial.point == 2:
            history.apply(Failed(train_job(trial.number), Cause.NAN, "the loss is nan"), 0)
        else:
            measured(tmp_path, history, trial.number, right(trial.point))
    first, _, last, _ = judge_search(tmp_path, history)
    assert first == (
        "The best on 1 fresh seed is point 1 (kernel=3 pool=1); "
        "point 2, ahead in the search, has no result on fresh seeds."
    )
    assert last.startswith("An interval from one pair of trials covers ")


# ------------------------------------------------------------------------------------- other sweeps


def test_what_was_taken() -> None:
    """How many trials have what other sweeps had trained, whole or to begin with, and which sweeps these are."""
    history = history_of("training.epochs=1")
    assert describe_taken(history) == ""
    history.trial(1).origin, history.trial(1).attempts = Origin("b", 4), 1
    words = "(search.reuse=false trains anew)"
    assert describe_taken(history) == f"1 trial was taken from other sweeps {words}: b."
    history.trial(2).origin, history.trial(2).attempts = Origin("a", 1), 1
    history.trial(3).origin, history.trial(3).attempts = Origin("b", 2), 2  # which has trained on since
    assert describe_taken(history) == (
        f"2 trials were taken and 1 trial was begun with what was taken from other sweeps {words}: a and b."
    )


# ----------------------------------------------------------------------------------------- the report


def test_the_answer(tmp_path: Path) -> None:
    """The first place and its objective, what it is worth, and the test accuracy once it is known."""
    history, sweep = searched(tmp_path, [[6], [5], [7], [35]]), Sweep(tmp_path, {})
    first, second = answer(sweep, history)
    assert first == "First: trial 2 (kernel=3 pool=2), val_accuracy 0.8750, 200 parameters."
    assert second == judge_search(tmp_path, history)[0]
    history.apply(Evaluation(2, 1, 0.4, 0.88, 0.0), 0)
    assert "trial 2, has a test accuracy of 0.8800" in answer(sweep, history)[2]
    assert answer(sweep, history_of()) == ["No trial has finished."]
