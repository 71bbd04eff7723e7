"""A screen: what changes on the page; the page without a case, and the sentence of an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jomed_app.errors import record_incident
from jomed_app.ui import text
from jomed_app.ui.panels.diagnosis.diagnosis import Diagnosis
from jomed_app.ui.panels.top.banner import Banner
from jomed_app.ui.panels.top.checks import Checks
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.panels.viewer.viewer import empty_value

NO_BANNER = Banner("")


@dataclass(frozen=True, slots=True)
class Screen:
    """What changes on the page; None leaves a part as it is, the banner goes without a sentence."""

    status: Status | None = None
    banner: Banner = NO_BANNER
    checks: Checks | None = None
    viewer: dict[str, Any] | None = None
    diagnosis: Diagnosis | None = None
    is_busy: bool = False
    has_case: bool = True
    can_run: bool = False


def closed(sentence: str = "") -> Screen:
    """Return the page without a case, and in the banner why, if there is a reason."""
    return Screen(
        status=Status(text.STATUS_IDLE),
        banner=Banner(sentence),
        checks=Checks(None),
        viewer=empty_value(),
        diagnosis=Diagnosis(),
        has_case=False,
    )


def failure(error: Exception) -> str:
    """Return the sentence for an error; what is not the user's to mend goes to the log by id."""
    sentence = text.error_sentence(error)
    if sentence is not None:
        return sentence
    return text.incident_sentence(record_incident(error))
