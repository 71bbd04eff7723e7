"""What a reader moved in the sum behind an answer: a what-if, not the app's answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jomed_app.types.schema import Frozen

MOST_DOUBLINGS = 4  # ours: beyond it a case is as good as alone, or as good as gone
MOST_FACTOR = 2.0**MOST_DOUBLINGS

Factor = Annotated[float, Field(ge=1 / MOST_FACTOR, le=MOST_FACTOR)]


class Moved(Frozen):
    """Weights that a reader changed; the defaults change nothing.

    Ours. Nothing was measured of an answer that a reader moved.
    """

    factors: dict[str, Factor] = Field(
        default={},
        description="candidate id -> factor of its weight, before the weights sum to 1 again",
    )
    image_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="of the image alone in the sum; what is left keeps its proportions; None: as "
        "it was fitted",
    )
    removed: tuple[str, ...] = Field(default=(), description="candidate ids left out, sorted")

    @property
    def is_nothing(self) -> bool:
        """Whether the answer is the app's own."""
        return not self.factors and self.image_share is None and not self.removed
