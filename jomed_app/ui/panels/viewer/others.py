"""What stands above the other patients: whose cases these are, and what Known and Read mean."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.ui import text
from jomed_app.ui.panels.caption import Caption
from jomed_app.ui.templates import Panel


@dataclass(frozen=True, slots=True)
class Others(Panel):
    """The head of the similar cases.

    Attributes:
        none: that no case of the collection is similar, where that was measured; else empty.
        simulated: that the collection is simulated and what follows from it; else empty. The only
            place of the page that says so.
        real: which collection of real cases was searched; else empty.
        caption: of a shipped example.
    """

    none: str
    simulated: str
    real: str
    caption: Caption | None = None

    @classmethod
    def of(
        cls,
        *,
        is_simulated: bool,
        count: int,
        has_similar: bool | None = None,
        name: str = "",
        caption: Caption | None = None,
    ) -> Others:
        """Return the head of one collection.

        Args:
            is_simulated: whether every case that is shown was simulated.
            count: cases of the collection.
            has_similar: whether the nearest case is a similar one; None where nobody knows.
            name: of the collection, with or without a hash in brackets.
            caption: of a shipped example.
        """
        words = text.OTHERS_SIMULATED.format(count=f"{count:,}") if is_simulated else ""
        plain = name.rpartition(" (")[0] or name
        is_named = bool(plain) and not is_simulated
        real = text.OTHERS_REAL.format(name=plain, count=f"{count:,}") if is_named else ""
        return cls(text.NO_SIMILAR if has_similar is False else "", words, real, caption)
