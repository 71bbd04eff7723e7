"""The column beside the image: the answer under its warning, then what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jomed_app.types import FinalResult, Retrieval
from jomed_app.ui import text
from jomed_app.ui.panels.caption import Caption, answer_caption
from jomed_app.ui.panels.diagnosis.agreement import Agreement
from jomed_app.ui.panels.diagnosis.answer import Answer
from jomed_app.ui.panels.diagnosis.final import Final
from jomed_app.ui.panels.diagnosis.influence import Influence
from jomed_app.ui.panels.diagnosis.provenance import Provenance
from jomed_app.ui.panels.diagnosis.report_text import ReportText
from jomed_app.ui.panels.diagnosis.site import Site
from jomed_app.ui.panels.diagnosis.strip import Strip
from jomed_app.ui.panels.diagnosis.sum_table import SumTable
from jomed_app.ui.protocol import InfoView, info_of
from jomed_app.ui.reading import Reading
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading has come."""

    num_read: int
    num_candidates: int

    @property
    def share(self) -> float:
        """Candidates that were read, in [0, 1]."""
        return self.num_read / self.num_candidates if self.num_candidates else 0.0


@dataclass(frozen=True, slots=True)
class Diagnosis(Panel):
    """The whole column; a part is None where it is not known yet or does not apply.

    Attributes:
        progress: until the diagnosis is known; before a case is open the column only explains.
        answer, agreement, final: once it is.
        caption: of a shipped example.
        sum_table: where a class is named.
        provenance: once the run has completed.
        site: the operating point of the site, where it chose one.
        strip: answers of the parts and searches, once the run has completed.
        report_text: to be edited and copied, where the task words one.
        influence: sliders, once the run has completed with an answer.
        overruled: what the checks said that the reader went past; empty where there was none.
    """

    progress: Progress | None = None
    answer: Answer | None = None
    caption: Caption | None = None
    agreement: Agreement | None = None
    final: Final | None = None
    sum_table: SumTable | None = None
    provenance: Provenance | None = None
    site: Site | None = None
    strip: Strip | None = None
    influence: Influence | None = None
    report_text: ReportText | None = None
    overruled: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        reading: Reading,
        info: InfoView,
        *,
        flip_to: str | None = None,
        finals: Mapping[Retrieval, FinalResult] | None = None,
        drawn_as: str = "",
    ) -> Diagnosis:
        """Return the column of one case.

        Args:
            reading: what is known so far.
            info: labels and error rates.
            flip_to: the answer without the decisive candidate, when known.
            finals: of the searches that were read, before anything was moved.
            drawn_as: the diagnosis as which a shipped example was drawn.
        """
        measured = info_of(info, reading.retrieval)
        final, consistency, candidates = reading.final, reading.consistency, reading.candidates
        if final is None or consistency is None:
            progress = Progress(reading.num_read, len(candidates))
            return cls(
                progress=progress,
                overruled=reading.info.overruled_messages,
            )
        is_other_search = info.standard is not None and reading.retrieval != info.opens_with
        result, is_overruled = reading.result, bool(reading.info.overruled)
        moved = result.moved if result else None
        agreement = Agreement.of(
            consistency,
            final,
            candidates,
            error_rates=None if is_overruled or moved else measured.error_rates,
            flip_to=flip_to,
        )
        conclusion = Final.of(
            final,
            tuple(info.task.labels),
            measured.measured_on,
            is_overruled=is_overruled,
            stands_apart=agreement.stands_apart,
            is_moved=moved is not None,
        )
        return cls(
            answer=Answer.of(agreement, conclusion),
            caption=answer_caption(drawn_as, reading),
            agreement=agreement,
            final=conclusion,
            sum_table=None if final.abstained else SumTable.of(candidates, final),
            provenance=None if result is None else Provenance(result, is_other_search),
            site=Site.of(
                final,
                target=info.site_point,
                positive=info.task.positive_label,
                points=measured.cutoffs,
                reason=_no_point(is_moved=moved is not None, is_overruled=is_overruled),
            ),
            strip=_strip(finals, reading.retrieval, has_two=info.standard is not None),
            influence=Influence.of(candidates, final, moved) if result and candidates else None,
            report_text=ReportText.of(info.task, result, measured.box_threshold),
            overruled=reading.info.overruled_messages,
        )

    @property
    def is_open(self) -> bool:
        """Whether there is a case to speak of."""
        return self.progress is not None or self.answer is not None


def _strip(
    finals: Mapping[Retrieval, FinalResult] | None, shown: Retrieval, *, has_two: bool
) -> Strip | None:
    """Return the strip of a run that has completed; a refused image has none."""
    if not finals or shown not in finals or not finals[shown].probabilities:
        return None
    return Strip.of(finals, shown, has_two=has_two)


def _no_point(*, is_moved: bool, is_overruled: bool) -> str:
    """Return why no operating point speaks of a case; empty where one does."""
    if is_moved:
        return text.NO_POINT_MOVED
    return text.NO_POINT_FOREIGN if is_overruled else ""
