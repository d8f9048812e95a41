"""Each kind of event has a word of its own."""

from typing import get_args

from src.ledger import events
from src.ledger.records import Evaluation, Probe

KINDS = {
    "checked": events.Checked,
    "started": events.Started,
    "epoch_ended": events.EpochEnded,
    "finished": events.Finished,
    "reused": events.Reused,
    "stopped": events.Stopped,
    "paused": events.Paused,
    "pruned": events.Pruned,
    "failed": events.Failed,
    "tracked": events.Tracked,
    "mirrored": events.Mirrored,
    "dropped": events.Dropped,
}


def test_kinds() -> None:
    """A table of words, so that another name of a class does not change one; records come as they are, without."""
    kinds = {kind.kind: kind for kind in get_args(events.Event) if kind not in (Probe, Evaluation)}
    assert kinds == KINDS
    assert {*KINDS.values(), Probe, Evaluation} == set(get_args(events.Event))
