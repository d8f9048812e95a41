"""Why nothing of a sweep can be trained, in words; `status` shows the rest, and its tests."""

from src.execution.overview import explain_infeasible
from tests.unit.examples import check, propose, schedule_of

HELP = "architecture.padding=same"


def refused(*reasons: str) -> str:
    """What is said of a space of four points that cannot be built for these reasons."""
    schedule = schedule_of()
    propose(schedule)
    for point, reason in zip(schedule.history.points, reasons, strict=True):
        check(schedule.history, point.number, reason)
    return explain_infeasible(schedule.history)


def test_every_reason_is_said() -> None:
    """With the points that it holds for; one is no plural."""
    first, *lines = refused("a", "a", "b", "a").splitlines()
    assert first == "none of the 4 points can be trained:"
    assert [line.strip() for line in lines] == ["infeasible: a (points 1–2, 4)", "infeasible: b (point 3)"]


def test_what_helps_small_images() -> None:
    """Where a layer has no room, the keys that make room are named; where it is something else they are not."""
    for reason in ("block2_pool: a 2×2 pooling on 1×1", "block1_conv1: a 9×9 valid convolution on 8×8"):
        assert HELP in refused(reason, "a", "a", "a")
    assert HELP not in refused("constraint: architecture.pool > 9", "a", "a", "a")
