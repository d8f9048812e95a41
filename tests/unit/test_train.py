"""`src.train` trains one configuration."""

from typing import Any

import pytest

from src import api, train
from src.base.errors import UserError
from src.config.schema import Config
from tests.unit.examples import config


def test_one_configuration_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing to search it runs as any sweep."""
    seen: list[Config] = []

    def run(chosen: Config, *_: Any) -> int:
        seen.append(chosen)
        return 7

    monkeypatch.setattr(api, "run", run)
    assert train.main(config("search=single")) == 7 and len(seen) == 1


def test_a_search_is_refused() -> None:
    """A space is not searched by mistake: the message names what searches it."""
    with pytest.raises(UserError, match=r"search=quick has a space of many: search it with src\.sweep"):
        train.main(config("search=quick"))
