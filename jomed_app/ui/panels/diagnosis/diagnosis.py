"""The column beside the image: the answer under its warning, then what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui.panels.caption import Caption, answer_caption
from jomed_app.ui.panels.diagnosis.agreement import Agreement
from jomed_app.ui.panels.diagnosis.answer import Answer
from jomed_app.ui.panels.diagnosis.final import Final
from jomed_app.ui.panels.diagnosis.provenance import Provenance
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
        num_removed: candidates that were taken out of the sum.
        overruled: what the checks said that the reader went past; empty where there was none.
    """

    progress: Progress | None = None
    answer: Answer | None = None
    caption: Caption | None = None
    agreement: Agreement | None = None
    final: Final | None = None
    sum_table: SumTable | None = None
    provenance: Provenance | None = None
    num_removed: int = 0
    overruled: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        reading: Reading,
        info: InfoView,
        *,
        flip_to: str | None = None,
        num_removed: int = 0,
        drawn_as: str = "",
    ) -> Diagnosis:
        """Return the column of one case.

        Args:
            reading: what is known so far.
            info: labels and error rates.
            flip_to: the answer without the decisive candidate, when known.
            num_removed: candidates that the reader took out of the sum.
            drawn_as: the diagnosis as which a shipped example was drawn.
        """
        measured = info_of(info, reading.retrieval)
        final, consistency, candidates = reading.final, reading.consistency, reading.candidates
        if final is None or consistency is None:
            progress = Progress(reading.num_read, len(candidates))
            return cls(
                progress=progress,
                num_removed=num_removed,
                overruled=reading.info.overruled_messages,
            )
        is_other_search = info.standard is not None and reading.retrieval != info.opens_with
        result, is_overruled = reading.result, bool(reading.info.overruled)
        agreement = Agreement.of(
            consistency,
            final,
            candidates,
            error_rates=None if is_overruled else measured.error_rates,
            flip_to=flip_to,
        )
        conclusion = Final.of(
            final,
            tuple(info.task.labels),
            measured.measured_on,
            is_overruled=is_overruled,
            stands_apart=agreement.stands_apart,
        )
        return cls(
            answer=Answer.of(agreement, conclusion),
            caption=answer_caption(drawn_as, reading),
            agreement=agreement,
            final=conclusion,
            sum_table=None if final.abstained else SumTable.of(candidates, final),
            provenance=None if result is None else Provenance(result, is_other_search),
            num_removed=num_removed,
            overruled=reading.info.overruled_messages,
        )

    @property
    def is_open(self) -> bool:
        """Whether there is a case to speak of."""
        return self.progress is not None or self.answer is not None
