"""What all groups of the configuration have in common: no unknown keys, no silent conversions, shares and rates."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class Strict(BaseModel):
    """A part of the configuration: no unknown keys, no silent conversions, unchangeable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
