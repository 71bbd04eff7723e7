"""The base of everything that is written out."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Base of all schema models: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
