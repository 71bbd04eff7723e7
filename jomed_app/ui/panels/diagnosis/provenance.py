"""Where an answer comes from, and how to get it again: versions, time, result file, calls."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.types import Region, Result
from jomed_app.ui.panels.diagnosis.save import Save
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Provenance(Panel):
    """One result as a document.

    Attributes:
        result: of the run.
        is_other_search: whether it came from another search than the one the API answers with.
    """

    result: Result
    is_other_search: bool = False

    @property
    def versions(self) -> dict[str, str]:
        """What produced the result, and how long each step took."""
        versions, times = self.result.versions, self.result.timings_ms
        # An older result does not say in which numbers it was made.
        numbers = {"numbers": versions.number_type} if versions.number_type else {}
        held = f", held in {versions.precision}" if versions.precision else ""
        models = {
            name: said
            for name, said in (
                ("reader", f"{versions.reader}{held}" if versions.reader else None),
                ("retriever", versions.retriever),
            )
            if said
        }
        return {
            "app": versions.app,
            "bundle": versions.bundle,
            "index": versions.index,
            **models,
            **numbers,
            "schema": versions.schema_,
            "time": f"decode {times.decode:.0f}, retrieve {times.retrieve:.0f}, "
            f"read {times.read:.0f}, total {times.total:.0f} ms",
        }

    @property
    def flags(self) -> tuple[str, ...]:
        """What a plain call leaves out and this answer was made with, for the command line."""
        info = self.result.input
        asked = {
            f"--{self.result.retrieval}": self.is_other_search,
            f"--region {_region_words(info.region)}": info.region_as_asked,
            "--invert": info.inverted_as_asked,
            "--anyway": bool(info.overruled),
        }
        return tuple(flag for flag, is_set in asked.items() if is_set)

    @property
    def save(self) -> Save:
        """The menu that saves the case as a file."""
        return Save()

    @property
    def document(self) -> str:
        """The result as it is copied and downloaded."""
        return self.result.model_dump_json(by_alias=True, indent=2)


def _region_words(region: Region | None) -> str:
    """Return a part of the picture as the command line and the API take it."""
    if region is None or region.source == "whole":
        return "whole"
    return ",".join(str(edge) for edge in region.corners)
