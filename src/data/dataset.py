"""Training, validation and test images, known by a digest."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[Any]  # uint8 or float32
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Part:
    """Images N×H×W×C, uint8 or float32, with N labels 0 … classes-1."""

    x: Images
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Dataset:
    """The three parts of the data. Selection uses validation; test is for the winner."""

    label: str
    train: Part
    validation: Part
    test: Part
    num_classes: int
    scale: float
    digest: str
    preprocessing: str  # of image files that a model of this data is given: see `images`

    def without_validation(self) -> "Dataset":
        """The same images, those of validation among those to train on."""
        parts = (self.train, self.validation)
        whole = Part(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))
        return replace(self, train=whole, validation=Part(self.validation.x[:0], self.validation.y[:0]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image: height, width, channels."""
        return self.train.x.shape[1:]


def digest(parts: tuple[Part, ...]) -> str:
    """64 hex digits that name all images and labels of all parts, in order."""
    sha = hashlib.sha256()
    for array in (array for part in parts for array in (part.x, part.y)):
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()
