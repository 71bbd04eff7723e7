"""Which cases come with terms that forbid commercial use."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jomed_app.data.records import CaseRecord

NOT_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)


def licence_of(record: CaseRecord) -> str:
    """The terms that a case states, empty where it states none."""
    return record.provenance.get("licence", "")


def is_noncommercial(record: CaseRecord) -> bool:
    """Whether a case states terms for non-commercial use only; one that states none does not."""
    return NOT_COMMERCIAL.search(licence_of(record)) is not None


def without_noncommercial(records: Sequence[CaseRecord]) -> list[CaseRecord]:
    """The cases that do not state such terms, in order."""
    return [record for record in records if not is_noncommercial(record)]
