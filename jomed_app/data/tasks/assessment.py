"""The scale on which a reader says how suspicious an image is, and where on it one acts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator


class Assessment(BaseModel):
    """An ordered scale of categories.

    Attributes:
        title: name of the scale, such as BI-RADS.
        categories: from the least to the most suspicious.
        meanings: what each means.
        acts_from: the first category at which more is done, such as a biopsy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    categories: tuple[str, ...]
    meanings: tuple[str, ...]
    acts_from: str

    @model_validator(mode="after")
    def _acts_within(self) -> Assessment:
        if len(self.meanings) != len(self.categories):
            raise ValueError("meanings must be as many as the categories")
        if self.acts_from not in self.categories[1:]:
            raise ValueError("acts_from must be one of the categories, and not the first of them")
        return self

    @property
    def choices(self) -> dict[str, str]:
        """Category -> what it means."""
        return dict(zip(self.categories, self.meanings, strict=True))

    def acts(self, category: str) -> bool:
        """Whether more is done at a category.

        Raises:
            ValueError: if the scale has no such category.
        """
        return self.categories.index(category) >= self.categories.index(self.acts_from)


# Ours: the five steps that reader studies of diagnostic imaging use for ROC curves.
SUSPICION = Assessment(
    title="Suspicion",
    categories=("1", "2", "3", "4", "5"),
    meanings=("definitely not", "probably not", "possibly", "probably", "definitely"),
    acts_from="3",
)
