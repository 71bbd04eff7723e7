"""A profile: how evidence is weighed and how honest its probabilities are, as a bundle keeps it.

Everything in it is fitted on cases that nothing was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, Field, ValidationError

from jomed_app.errors import BundleError, first_fault
from jomed_app.inference.calibration.probabilities import Calibration
from jomed_app.types import Frozen


class Settings(Frozen):
    """How candidates are found, weighed and concluded; the defaults trust the reader alone."""

    weight_temperature: float = Field(
        default=1.0, gt=0, description="divides the head-normalized retriever scores"
    )
    text_offset: float = Field(
        default=0.0,
        description="nats added to the log-weight of candidates that only the text search found",
    )
    guidance: float = Field(
        default=0.0, ge=0, description="of `aggregate.guided_log_prob`; 0 is the plain reader"
    )
    max_spread: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="probability spread above which agreeing candidates count as mixed",
    )
    num_neighbors: int = Field(default=32, ge=1, description="nearest cases that vote")
    vote_temperature: float = Field(default=0.1, gt=0, description="divides their scores")
    vote_share: float = Field(default=0.0, ge=0, le=1, description="of the vote in the mixture")
    image_share: float = Field(
        default=0.0, ge=0, le=1, description="of the image alone in the mixture"
    )
    box_threshold: float = Field(
        default=0.5, ge=0, le=1, description="box score from which a box is shown at first"
    )
    k_per_head: int = Field(default=2, ge=1, description="hits per search")
    domain_probability: float = Field(
        default=0.5, ge=0, le=1, description="least probability that an image is of the domain"
    )


class Profile(Frozen):
    """What was fitted and measured with one search beside one kind of corpus."""

    settings: Settings = Field(
        default=Settings(),
        validation_alias=AliasChoices("thresholds", "settings"),
        serialization_alias="thresholds",
    )
    calibration: Calibration = Calibration()
    measured_on: str = Field(
        default="", description="the cases and the corpus, in words; empty if never measured"
    )

    def with_settings(self, **changes: float) -> Profile:
        """The same with other settings."""
        return self.model_copy(update={"settings": self.settings.model_copy(update=changes)})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as a manifest holds them."""
        return self.model_dump(mode="json", by_alias=True)


class CorpusProfile(Profile):
    """The profile of a bundle's query heads, and that of the search by similarity alone.

    A bundle that holds none of its own for the latter has one profile for both searches.
    """

    standard: Profile | None = Field(default=None, exclude_if=lambda value: value is None)


def read_profile(stored: Mapping[str, Any]) -> CorpusProfile:
    """Read a profile from a manifest's JSON values.

    Raises:
        BundleError: if a name is unknown, or a value missing, of another type or out of range.
    """
    try:
        return CorpusProfile.model_validate(stored)
    except ValidationError as error:
        raise BundleError(
            f"a profile in the bundle must follow its schema: {first_fault(error, 'profile')}; "
            "load it with the app version that wrote it, or export the bundle again"
        ) from error
