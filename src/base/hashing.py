"""Names and seeds that follow from values alone, on every machine and version."""

import hashlib
import json
from typing import Any


def fingerprint(value: Any) -> str:
    """64 hex digits that name a value made of dicts, lists, strings and numbers."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def stable_seed(*parts: int | str) -> int:
    """A positive 31-bit seed that follows from the parts alone, on every machine and version."""
    plain = tuple(str(part) if isinstance(part, str) else part for part in parts)  # a StrEnum shows itself otherwise
    return int.from_bytes(hashlib.sha256(repr(plain).encode()).digest()[:4], "big") % (2**31 - 1) + 1
