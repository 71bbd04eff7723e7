"""The linked viewer's value: panes with lossless images, boxes and windows, as plain JSON data."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jomed_app.imaging import display
from jomed_app.types import BoxResult, CandidateResult, ImageRecord, Window
from jomed_app.ui import text
from jomed_app.ui.panels import cards, operating, overlays, searches
from jomed_app.ui.panels import diagnosis as render
from jomed_app.ui.reading import Reading, ReadingEngine, info_of
from jomed_app.ui.session import Case

MAX_DISPLAY_PX = 1024
MAX_PRESETS = 5

Pane = dict[str, Any]


@lru_cache
def static_text(name: str) -> str:
    """Return a file of `static/` that ships inside the package."""
    return (resources.files("jomed_app.ui") / "static" / name).read_text(encoding="utf-8")


def png_data_url(pixels: NDArray[np.uint8]) -> str:
    """Return a lossless PNG data URL, at most 1024 px on the longer side.

    Args:
        pixels: (rows, columns) or (rows, columns, 3) uint8; equal channels are sent as gray.
    """
    if pixels.ndim == 3 and bool((pixels == pixels[..., :1]).all()):
        pixels = pixels[..., 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    longer = max(image.size)
    if longer > MAX_DISPLAY_PX:
        factor = MAX_DISPLAY_PX / longer
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def render_query(image: ImageRecord, window: Window | None = None) -> str:
    """Return the query as a data URL: what the model sees, or the same under a display window."""
    return png_data_url(image.model_input if window is None else display.render(image, window))


def window_presets(image: ImageRecord) -> list[Window]:
    """Return up to five display windows: the file's own first, then ones from its values."""
    values = image.model_input if image.modality_values is None else image.modality_values
    offered = list(display.presets(image))[:MAX_PRESETS]
    low, dark, middle, bright, high = (
        float(value) for value in np.percentile(values, (0.5, 5, 50, 95, 99.5))
    )
    for name, start, stop in (
        ("contrast", dark, bright),
        ("dark tissue", low, middle + (high - middle) * 0.25),
        ("bright tissue", middle, high),
    ):
        if stop > start:
            offered.append(Window(center=(start + stop) / 2, width=stop - start, name=name))
    return offered[:MAX_PRESETS]


def window_controls(image: ImageRecord) -> dict[str, Any]:
    """Return ranges and presets of the window sliders, in modality values (colour: 0 to 255)."""
    values = image.model_input if image.modality_values is None else image.modality_values
    presets = window_presets(image)
    first = presets[0]
    low = min(float(values.min()), first.center - first.width / 2)
    high = max(float(values.max()), first.center + first.width / 2)
    return {
        "center": first.center,
        "width": first.width,
        "low": low,
        "high": high,
        "widest": (high - low) * 1.5,
        "step": (high - low) / 512,
        "inverted": image.inverted,
        "presets": [
            {"name": preset.name or "file", "center": preset.center, "width": preset.width}
            for preset in presets
        ],
    }


def viewer_value(
    case: Case,
    reading: Reading,
    engine: ReadingEngine,
    *,
    removed: frozenset[str] = frozenset(),
    order: tuple[CandidateResult, ...] | None = None,
) -> dict[str, Any]:
    """Return everything the viewer component shows for one case.

    Args:
        case: the session's case.
        reading: what is known so far, after removals.
        engine: source of candidate images and records.
        removed: ids that are shown as taken out.
        order: candidates of the full run, so that removed ones keep their place.
    """
    current = {item.candidate_id: item for item in reading.candidates}
    shown = order if order is not None else reading.candidates
    counter = reading.consistency.counter_candidate if reading.consistency else None
    stands = reading.final is not None and not reading.final.abstained
    final = reading.final.prediction if reading.final and stands else None
    panes = [_query_pane(case, reading, engine.info.task.has_boxes)]
    measured = info_of(engine.info, case.retrieval)
    search = searches.strip(case, reading, engine.info)
    for item in shown:
        gone = item.candidate_id in removed
        latest = item if gone else current.get(item.candidate_id, item)
        card = cards.candidate_card(
            latest,
            labels=tuple(engine.info.task.labels),
            final=final,
            is_removed=gone,
            is_counter=item.candidate_id == counter,
            can_remove=reading.result is not None,
            change=searches.change_line(item, case.retrieval) if search else "",
        )
        title = f"#{item.rank}"
        panes.append(_case_pane(case, engine, item.candidate_id, "candidate", title, card))
        panes[-1]["removed"] = gone
        panes[-1]["note"] = f"closer than {min(item.similarity_percentile, 99.9):.1f} %"
        panes[-1]["counter"] = item.candidate_id == counter
    if counter is not None and counter not in {item.candidate_id for item in shown}:
        card = cards.counter_card(engine.candidate(counter), final)
        panes.append(_case_pane(case, engine, counter, "counter", "Counter-case", card))
        panes[-1]["note"] = "not part of the sum"
    return {
        "case": case.token,
        "frame": case.image.frame,
        "frames": case.image.num_frames,
        "threshold": float(measured.box_threshold),
        "operating": operating.threshold_steps(measured.box_operating_points, measured.measured_on),
        "heat": overlays.heat_value(case, reading),
        "usual": overlays.usual_value(reading),
        "window": window_controls(case.image),
        "words": text.VIEWER_WORDS,
        "search": search,
        "findings": render.findings(reading),
        "panes": panes,
    }


def _query_pane(case: Case, reading: Reading, has_boxes: bool) -> Pane:
    """Return the pane of the query with the boxes found so far, and why there may be none."""
    is_refused = reading.result is not None and not reading.candidates
    none = text.NONE_ABOVE if has_boxes else text.NO_BOXES_IN_TASK
    rows, columns = case.image.model_input.shape[:2]
    return {
        "id": "query",
        "kind": "query",
        "title": "Query",
        "note": f"{columns} x {rows} px",
        "simulated": case.is_simulated,
        "image": case.picture("query", lambda: render_query(case.image)),
        "rows": rows,
        "columns": columns,
        "boxes": None if reading.boxes is None else [_box_data(box) for box in reading.boxes],
        "none": text.NONE_LOOKED_FOR if is_refused else none,
        "card": "",
    }


def _box_data(box: BoxResult) -> dict[str, Any]:
    """Return one predicted box as JSON data."""
    return {
        "x0": box.x0,
        "y0": box.y0,
        "x1": box.x1,
        "y1": box.y1,
        "score": round(box.score, 3),
        "label": box.label,
    }


def _case_pane(
    case: Case, engine: ReadingEngine, candidate_id: str, kind: str, title: str, card: str
) -> Pane:
    """Return the pane of an indexed case; its known boxes are in pixels of its own file."""
    record = engine.candidate(candidate_id)
    return {
        "id": candidate_id,
        "kind": kind,
        "title": title,
        "simulated": cards.is_simulated(record.provenance),
        "image": case.picture(
            candidate_id, lambda: png_data_url(engine.candidate_image(candidate_id))
        ),
        "rows": record.rows,
        "columns": record.columns,
        "boxes": [
            {"x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1, "label": "known"}
            for box in record.box_list
        ],
        "card": card,
    }


def window_server(find: Callable[[str], Case | None]) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that the page calls to get the query under another window.

    Args:
        find: token -> case, or None.
    """

    def window_query(request: Mapping[str, Any]) -> str | None:
        """Return a PNG data URL rendered from the full range of values, or None."""
        try:
            case = find(str(request["case"]))
            window = Window(center=float(request["center"]), width=float(request["width"]))
        except (KeyError, TypeError, ValueError):
            return None
        is_usable = np.isfinite(window.center) and np.isfinite(window.width) and window.width > 0
        if case is None or not is_usable:
            return None
        return render_query(case.image, window)

    return window_query
