"""Which cases of a collection must not stand beside one another: patients, and near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass

from jomed_app.data.twins import group_pictures, joined_groups
from jomed_app.retrieval.index import CandidateIndex


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of a collection's cases.

    Attributes:
        of: case id -> group, which no comparison tears apart.
        members: group -> its case ids.
        by_pixels, by_tower: cases with a near-duplicate, by thumbnails and by the bundle's tower.
        unnamed: cases whose near-duplicate stands in another group of the collection's own.
    """

    of: dict[str, str]
    members: dict[str, frozenset[str]]
    by_pixels: int
    by_tower: int
    unnamed: int


def group_collection(index: CandidateIndex) -> Groups:
    """Group a collection by what it says itself, by pixels and by the bundle's own tower.

    Ours: twins in two groups join them; see `group_pictures` for what a twin is.

    Args:
        index: the collection.
    """
    ids = list(index.ids)
    said = [index.candidate(each).group for each in ids]
    found = group_pictures((index.image(each) for each in ids), index.vectors("image"))
    joined = joined_groups(said, found.groups)
    unnamed = sum(
        len(places)
        for places in _places(found.groups).values()
        if len({said[place] or str(place) for place in places}) > 1
    )
    names = [str(group) for group in joined]
    members: dict[str, set[str]] = {}
    for name, each in zip(names, ids, strict=True):
        members.setdefault(name, set()).add(each)
    return Groups(
        of=dict(zip(ids, names, strict=True)),
        members={name: frozenset(each) for name, each in members.items()},
        by_pixels=found.by_pixels,
        by_tower=found.by_tower,
        unnamed=unnamed,
    )


def _places(groups: list[int]) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    return places
