"""The linked viewer: its frame, and as JSON data the panes with images, boxes and cards in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jomed_app.types import BoxResult, CandidateResult
from jomed_app.ui import text
from jomed_app.ui.images import png_data_url
from jomed_app.ui.panels.caption import Caption, image_caption, readings_caption
from jomed_app.ui.panels.cards.candidate import Candidate
from jomed_app.ui.panels.cards.counter_case import CounterCase
from jomed_app.ui.panels.cards.differences import Differences
from jomed_app.ui.panels.cards.rank_change import RankChange
from jomed_app.ui.panels.diagnosis.findings import Findings
from jomed_app.ui.panels.viewer.folded import Folded, FoldedCase, folded_ids
from jomed_app.ui.panels.viewer.heat_map import heat_value
from jomed_app.ui.panels.viewer.others import Others
from jomed_app.ui.panels.viewer.region import region_value, shown_region, size_words
from jomed_app.ui.panels.viewer.search import search_value
from jomed_app.ui.panels.viewer.threshold import threshold_steps
from jomed_app.ui.panels.viewer.usual_place import usual_value
from jomed_app.ui.panels.viewer.window import render_query, window_controls
from jomed_app.ui.protocol import ReadingEngine, info_of
from jomed_app.ui.reading import Reading
from jomed_app.ui.session import Case
from jomed_app.ui.templates import Panel, render

Pane = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Viewer(Panel):
    """The tools and the empty places that viewer.js fills from `viewer_value`."""


def empty_value() -> dict[str, Any]:
    """Return the viewer's value when no case is open."""
    return {"case": "", "panes": [], "title": text.EMPTY_TITLE, "text": text.EMPTY_TEXT}


def viewer_value(
    case: Case,
    reading: Reading,
    engine: ReadingEngine,
    *,
    removed: frozenset[str] = frozenset(),
    order: tuple[CandidateResult, ...] | None = None,
    sends_pictures: bool = True,
) -> dict[str, Any]:
    """Return everything the viewer component shows for one case.

    Args:
        case: the session's case.
        reading: what is known so far, after removals.
        engine: source of candidate images and records.
        removed: ids that are shown as taken out.
        order: candidates of the full run, so that removed ones keep their place.
        sends_pictures: False leaves out those that the page has already.

    Returns:
        JSON data. A pane whose `folded` is True is drawn once its line in the list is opened.
    """
    held = frozenset() if sends_pictures else case.pictures_held
    reading, is_hiding = case.seen(reading), case.is_hiding
    drawn_as = "" if is_hiding else case.drawn_as
    order = None if is_hiding else order
    current = {item.candidate_id: item for item in reading.candidates}
    shown = order if order is not None else reading.candidates
    consistency = reading.consistency
    counter = consistency.counter_candidate if consistency else None
    decisive = consistency.decisive_candidate if consistency else None
    stands = reading.final is not None and not reading.final.abstained
    final = reading.final.prediction if reading.final and stands else None
    panes = [_query_pane(case, reading, engine.info.task.has_boxes)]
    measured = info_of(engine.info, case.retrieval)
    search = None if is_hiding else search_value(case, reading, engine.info)
    folded = folded_ids(shown, current, reading.final, {counter or "", decisive or ""})
    listed: list[FoldedCase] = []
    for item in shown:
        gone = item.candidate_id in removed
        latest = item if gone else current.get(item.candidate_id, item)
        card = Candidate.of(
            latest,
            labels=tuple(engine.info.task.labels),
            final=final,
            reading_weight=reading.final.reading_weight if reading.final else None,
            is_removed=gone,
            is_counter=item.candidate_id == counter,
            can_remove=reading.result is not None,
            change=RankChange.of(item, case.retrieval) if search else None,
            differences=_differences(engine, item.candidate_id, reading),
            is_held_back=is_hiding,
        )
        title = text.OTHER_PATIENT.format(rank=item.rank)
        panes.append(_case_pane(case, engine, item.candidate_id, "candidate", title, card))
        panes[-1]["folded"] = item.candidate_id in folded
        if item.candidate_id in folded:
            listed.append(FoldedCase(latest, card.share, gone))
        panes[-1]["removed"] = gone
        panes[-1]["counter"] = item.candidate_id == counter
    if counter is not None and counter not in {item.candidate_id for item in shown}:
        differences = _differences(engine, counter, reading)
        other = CounterCase(engine.candidate(counter), final, differences)
        panes.append(_case_pane(case, engine, counter, "counter", text.COUNTER_TITLE, other))
    for pane in panes:
        if pane["id"] in held:
            pane["image"] = ""
    return {
        "case": case.token,
        "frame": case.image.frame,
        "frames": case.image.num_frames,
        "threshold": float(measured.box_threshold),
        "operating": threshold_steps(measured.box_operating_points, measured.measured_on),
        "heat": heat_value(case, reading),
        "usual": usual_value(reading),
        "window": window_controls(case.image),
        "region": region_value(case.image),
        "words": text.VIEWER_WORDS,
        "search": search,
        "findings": render(Findings.of(reading)),
        "caption": _rendered(image_caption(drawn_as)),
        "others": _others(
            panes[1:],
            engine.info,
            reading.has_similar,
            None if removed else readings_caption(drawn_as, reading),
        ),
        "folded": render(Folded(tuple(listed))),
        "panes": panes,
    }


def _differences(engine: ReadingEngine, candidate_id: str, reading: Reading) -> Differences | None:
    """Return in which descriptors a case differs from the query, once that was described."""
    return Differences.of(engine.candidate(candidate_id).descriptors, reading.findings)


def _rendered(panel: Panel | None) -> str:
    """Return a panel as HTML; nothing where there is none."""
    return "" if panel is None else render(panel)


def _others(
    panes: Sequence[Pane], info: Any, has_similar: bool | None, caption: Caption | None
) -> str:
    """Return the head of the similar cases; nothing while there are none."""
    if not panes:
        return ""
    is_simulated = all(pane["simulated"] for pane in panes)
    return render(
        Others.of(
            is_simulated=is_simulated,
            count=info.index_size,
            has_similar=has_similar,
            name=info.index,
            caption=caption,
        )
    )


def _query_pane(case: Case, reading: Reading, has_boxes: bool) -> Pane:
    """Return the pane of the query with the boxes found so far, and why there may be none."""
    is_refused = reading.result is not None and not reading.candidates
    none = text.NONE_ABOVE if has_boxes else text.NO_BOXES_IN_TASK
    rows, columns = case.image.size_px
    x0, y0, *_ = shown_region(case.image).corners
    return {
        "id": "query",
        "kind": "query",
        "title": text.THIS_PATIENT,
        "note": size_words(case.image),
        "simulated": case.is_simulated,
        "image": case.picture("query", lambda: render_query(case.image)),
        "rows": rows,
        "columns": columns,
        "spacing": case.image.pixel_spacing_mm,
        "boxes": None
        if reading.boxes is None
        else [_box_data(box, x0, y0) for box in reading.boxes],
        "none": text.NONE_LOOKED_FOR if is_refused else none,
        "card": "",
    }


def _box_data(box: BoxResult, x0: int, y0: int) -> dict[str, Any]:
    """Return one predicted box, px of the file, as JSON data in px of the region at x0, y0."""
    return {
        "x0": box.x0 - x0,
        "y0": box.y0 - y0,
        "x1": box.x1 - x0,
        "y1": box.y1 - y0,
        "score": round(box.score, 3),
        "label": box.label,
    }


def _case_pane(
    case: Case, engine: ReadingEngine, candidate_id: str, kind: str, title: str, card: Panel
) -> Pane:
    """Return the pane of an indexed case; its known boxes are in pixels of its own file."""
    record = engine.candidate(candidate_id)
    return {
        "id": candidate_id,
        "kind": kind,
        "title": title,
        "simulated": _is_simulated(record.provenance),
        "image": case.picture(
            candidate_id, lambda: png_data_url(engine.candidate_image(candidate_id))
        ),
        "rows": record.rows,
        "columns": record.columns,
        "spacing": None,
        "boxes": [
            {"x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1, "label": "known"}
            for box in record.box_list
        ],
        "card": render(card),
    }


def _is_simulated(provenance: Mapping[str, str]) -> bool:
    """Whether the provenance says that the case was simulated."""
    return any(
        "simulated" in value.lower() or (key.lower() == "simulated" and value.lower() == "true")
        for key, value in provenance.items()
    )
