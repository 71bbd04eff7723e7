"""One case under study: how far it is revealed, and what the reader said at each step.

Source: the usual protocol of reader studies of computer aids, an unaided read and then the aid,
each scored (FDA guidance on clinical performance assessment of CADe devices, sequential design).
Ours: the aid comes in four steps, in the order of the page.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from jomed_app.ui.reading import Reading
from jomed_app.ui.study.own_read import OwnRead


class Step(StrEnum):
    """What was shown when the reader said it; each shows what those before it do."""

    UNAIDED = "unaided"
    CASES = "cases"
    READINGS = "readings"
    ANSWER = "answer"
    PLACES = "places"
    DONE = "done"


STEPS = tuple(Step)


@dataclass(frozen=True, slots=True)
class Given:
    """What the reader said at one step.

    Attributes:
        step: what was shown.
        read: what was said.
        at: when, UTC, ISO 8601 to the second.
        seconds: since the step began.
        seconds_total: since the image was shown.
    """

    step: Step
    read: OwnRead
    at: str
    seconds: float
    seconds_total: float


@dataclass(slots=True)
class Study:
    """A case that is read before it is revealed.

    Attributes:
        read_id: of this reading of the case, random.
        step: what is shown now.
        given: what was said so far, a step each.
        is_skipped: whether the reader had everything shown at once.
    """

    clock: Callable[[], float] = time.monotonic
    read_id: str = field(default_factory=lambda: secrets.token_hex(4))
    step: Step = Step.UNAIDED
    given: list[Given] = field(default_factory=list)
    is_skipped: bool = False
    _began: float = field(init=False)
    _step_began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self._step_began = self.clock()

    @property
    def is_open(self) -> bool:
        """Whether something is still hidden, or the last word is still to be said."""
        return self.step is not Step.DONE

    @property
    def last(self) -> OwnRead | None:
        """What the reader said last."""
        return self.given[-1].read if self.given else None

    def shows(self, step: Step) -> bool:
        """Whether what a step reveals is shown by now."""
        return STEPS.index(self.step) >= STEPS.index(step)

    def say(self, read: OwnRead) -> None:
        """Keep what the reader says at this step, and reveal the next."""
        now = self.clock()
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.given.append(Given(self.step, read, at, now - self._step_began, now - self._began))
        self.step = STEPS[STEPS.index(self.step) + 1]
        self._step_began = now

    def skip(self) -> None:
        """Show everything; what was said so far stays, and the read counts as unfinished."""
        self.step, self.is_skipped = Step.DONE, True

    def up_to(self, reading: Reading) -> Reading:
        """Return what of a reading is shown now; the same states a running case goes through."""
        if not self.is_open:
            return reading
        shown = Reading(info=reading.info, retrieval=reading.retrieval)
        if self.shows(Step.CASES):
            shown = replace(
                shown,
                candidates=tuple(
                    each.model_copy(
                        update={
                            "prediction": None,
                            "probabilities": {},
                            "answer_log_likelihood": None,
                        }
                    )
                    for each in reading.candidates
                ),
                has_similar=reading.has_similar,
            )
        if self.shows(Step.READINGS):
            shown = replace(shown, candidates=reading.candidates)
        if self.shows(Step.ANSWER):
            shown = replace(shown, final=reading.final, consistency=reading.consistency)
        if self.shows(Step.PLACES):
            shown = replace(
                shown,
                boxes=reading.boxes,
                findings=reading.findings,
                report=reading.report,
                heatmap=reading.heatmap,
            )
        return shown


class Studies:
    """Which sessions read first.

    Args:
        mode: "off", "offered" or "required"; see `AppConfig.study`.
        most: sessions whose choice is remembered.
    """

    def __init__(self, mode: str = "off", most: int = 200) -> None:
        self.mode = mode
        self._most = most
        self._on: dict[str, bool] = {}

    def is_on(self, session: str) -> bool:
        """Whether a session's next case is read first."""
        if self.mode == "offered":
            return self._on.get(session, False)
        return self.mode == "required"

    def switch(self, session: str) -> bool:
        """Turn it on or off for a session's next cases, where it is offered; return how it is."""
        is_on = not self.is_on(session)
        if self.mode != "offered":
            return not is_on
        self.end(session)
        self._on[session] = is_on
        while len(self._on) > self._most:
            del self._on[next(iter(self._on))]
        return is_on

    def end(self, session: str) -> None:
        """Forget a session's choice."""
        self._on.pop(session, None)

    def begin(self, session: str) -> Study | None:
        """Return the study of a case that a session opens now; None where it is shown at once."""
        return Study() if self.is_on(session) else None
