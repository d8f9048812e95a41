"""What is said while the last of a sweep is written elsewhere."""

import io

from rich.console import Console

from src.ledger.notices import Completed, Completing, LookingAhead, StoppingAfter
from src.reporting.completion import Completion


def completion(**how: object) -> tuple[Completion, io.StringIO]:
    """Of a sweep called `a`, and what it prints."""
    file = io.StringIO()
    return Completion(Console(width=200, file=file, **how), "python -m src.sync a --sweeps A"), file  # type: ignore[arg-type]


def test_with_no_terminal() -> None:
    """A line says that it is waited for, and how to leave it; nothing more where all went well."""
    shown, file = completion()
    shown.on_notice(LookingAhead())
    shown.on_notice(Completing("writing the last of it to MLflow", may_wait=True))
    shown.on_notice(Completed("MLflow"))
    assert file.getvalue() == "writing the last of it to MLflow (Ctrl-C leaves it for later) …\n"


def test_what_cannot_wait() -> None:
    """Nobody is told to leave what would not be done later."""
    shown, _ = completion(force_terminal=True)
    with shown:
        shown.on_notice(Completing("writing the report"))
        assert shown.status and str(shown.status.status) == "writing the report …"


def test_a_wish_to_stop_is_answered() -> None:
    """It is said at once what comes first, on a terminal in the place of what is waited for."""
    words = "stopping after the report, which is written to its end first …"
    shown, file = completion()
    shown.on_notice(Completing("writing the report"))
    shown.on_notice(StoppingAfter("the report"))
    assert file.getvalue().splitlines() == ["writing the report …", words]
    with completion(force_terminal=True)[0] as other:
        other.on_notice(Completing("writing the report"))
        other.on_notice(StoppingAfter("the report"))
        assert other.status and other.status.status == words


def test_where_it_is_not_complete() -> None:
    """The reason is said, and how to complete it."""
    shown, file = completion()
    shown.on_notice(Completed("MLflow", "it does not answer [1]"))
    said = file.getvalue().rstrip()
    assert said.startswith("MLflow is not complete: it does not answer [1]. To complete it: ")
    assert said.endswith("To complete it: python -m src.sync a --sweeps A")


def test_on_a_terminal() -> None:
    """It turns as long as it is waited for, and says how to leave it; whatever happens, it does not turn on."""
    shown, _ = completion(force_terminal=True)
    with shown:
        shown.on_notice(Completing("writing the last of it to MLflow", may_wait=True))
        assert shown.status and "(Ctrl-C leaves it for later)" in str(shown.status.status)
        live = shown.status._live
        assert live.is_started
    assert not live.is_started
    with completion(force_terminal=True)[0] as other:
        other.on_notice(Completed("MLflow"))
