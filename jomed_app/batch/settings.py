"""How a batch is read; a folder holds the cases of one bundle, one index and one way to read."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from jomed_app.types import Frozen, RegionWish, Retrieval, Versions


class BatchSettings(Frozen):
    """What each image is asked, as on the command line."""

    question: str | None = None
    k: int | None = Field(default=None, ge=1)
    retrieval: Retrieval | None = None
    region: RegionWish = "found"
    invert: bool = False
    anyway: bool = False
    keep_study: bool = False


class BatchRun(Frozen):
    """What all cases of a folder have in common, schema `jomed.batch/1`."""

    schema_: Literal["jomed.batch/1"] = Field(default="jomed.batch/1", alias="schema")
    settings: BatchSettings
    versions: Versions

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def differing(self, other: BatchRun) -> list[str]:
        """Name what differs; how many threads share a product does not count."""
        return [
            name
            for mine, its in ((self.settings, other.settings), (self.versions, other.versions))
            for name in type(mine).model_fields
            if name != "threads" and getattr(mine, name) != getattr(its, name)
        ]
