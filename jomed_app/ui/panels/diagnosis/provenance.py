"""Where an answer comes from, and how to get it again: versions, time, result file, calls."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.types import Result
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
        return {
            "app": versions.app,
            "bundle": versions.bundle,
            "index": versions.index,
            **numbers,
            "schema": versions.schema_,
            "time": f"decode {times.decode:.0f}, retrieve {times.retrieve:.0f}, "
            f"read {times.read:.0f}, total {times.total:.0f} ms",
        }

    @property
    def document(self) -> str:
        """The result as it is copied and downloaded."""
        return self.result.model_dump_json(by_alias=True, indent=2)
