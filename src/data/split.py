"""Parts of a data set, every class in the same proportions."""

import numpy as np
from numpy.typing import NDArray

from src.base.errors import UserError
from src.base.text import number_of
from src.data.dataset import Part


def split(part: Part, shares: list[float], seed: int, where: str) -> list[Part]:
    """One part for each share and, last, the rest; every class in the same proportions.

    Images keep their order within a part. Raises UserError where a class is too small to be shared out.
    """
    rng = np.random.default_rng(seed)
    chosen: list[list[NDArray[np.intp]]] = [[] for _ in range(len(shares) + 1)]
    for label in range(int(part.y.max()) + 1):
        members = rng.permutation(np.flatnonzero(part.y == label))
        counts = [max(1, round(share * len(members))) for share in shares]
        if sum(counts) >= len(members):
            raise UserError(
                f"{where}: class {label} has {number_of(len(members), 'image')}, "
                f"too few to hold out {' and '.join(map(str, counts))}; add images, or "
                + ("lower data.validation and data.test." if max(counts) > 1 else "leave the class out.")
            )
        for target, indices in zip(chosen, np.split(members, np.cumsum(counts)), strict=True):
            target.append(indices)
    orders = [np.sort(np.concatenate(indices)) for indices in chosen]
    return [Part(part.x[order], part.y[order]) for order in orders]
