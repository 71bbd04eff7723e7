"""One page on paper: the picture, the answer, how it stands, the similar cases, what made it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import reportlab
from numpy.typing import NDArray
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepInFrame, Paragraph, Spacer, Table

from jomed_app.export.picture import COLORS, with_boxes
from jomed_app.export.places import placed_boxes
from jomed_app.export.saved import SavedResult
from jomed_app.export.words import (
    DISCLAIMER,
    NO_BOX,
    PAINTED,
    STANDING_WORDS,
    answer_words,
    cases_words,
    has_answer,
    known_words,
    moved_words,
    read_words,
    share_words,
    standing,
)

MARGIN, GAP = 40.0, 14.0  # points
PICTURE_WIDTH, PICTURE_HEIGHT = 285.0, 330.0  # points, at most
MOST_PX = 1600  # along a side of the picture on paper: 400 dots an inch
FONT, BOLD = "Vera", "VeraBd"  # Bitstream Vera, which ships inside reportlab


def pdf(saved: SavedResult, pixels: NDArray[np.uint8]) -> bytes:
    """Return a PDF file of one page of A4, its fonts inside; the same result gives the same bytes.

    Args:
        saved: what the page tells.
        pixels: (rows, columns, 3) uint8 RGB of what was read.
    """
    _register_fonts()
    stream = BytesIO()
    # invariant: no date and no random id is written
    canvas = Canvas(stream, pagesize=A4, invariant=1, pageCompression=1, lang="en")
    canvas.setTitle("JOMED app: one case")
    canvas.setAuthor(f"JOMED app {saved.result.versions.app}")
    canvas.setSubject(DISCLAIMER)
    width, height = A4
    body = KeepInFrame(width - 2 * MARGIN, height - 2 * MARGIN, _flow(saved, pixels), mode="shrink")
    _, used = body.wrapOn(canvas, width - 2 * MARGIN, height - 2 * MARGIN)
    body.drawOn(canvas, MARGIN, height - MARGIN - used)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def _flow(saved: SavedResult, pixels: NDArray[np.uint8]) -> list[Flowable]:
    """All of the page, from top to bottom."""
    result = saved.result
    head = Table(
        [[_words("JOMED app", 13, bold=True), _words(DISCLAIMER, 9, bold=True, right=True)]],
        colWidths=[150, None],
        style=[("LINEBELOW", (0, 0), (-1, -1), 1, colors.black),
               ("LEFTPADDING", (0, 0), (0, 0), 0)],
    )  # fmt: skip
    picture = _picture(saved, pixels)
    right = A4[0] - 2 * MARGIN - picture.drawWidth - GAP
    both = Table(
        [[picture, _answer(saved)]],
        colWidths=[picture.drawWidth + GAP, right],
        style=[("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0),
               ("RIGHTPADDING", (1, 0), (1, 0), 0)],
    )  # fmt: skip
    parts: list[Flowable] = [head, Spacer(0, GAP), both]
    if result.candidates:
        parts += [_title(cases_words(result)), _candidates(saved)]
    if result.findings:
        likeliest = (
            f"{name} {max(shares, key=lambda value: shares[value])} {max(shares.values()):.2f}"
            for name, shares in result.findings.items()
            if shares
        )
        parts += [_title("Findings"), _words(", ".join(likeliest))]
    if result.report:
        parts += [_title("Report sentence"), _words(result.report)]
    return [*parts, _title("What made it"), _versions(saved)]


def _picture(saved: SavedResult, pixels: NDArray[np.uint8]) -> Image:
    """The picture with its boxes, as large as there is room."""
    drawn = with_boxes(saved, pixels)
    drawn.thumbnail((MOST_PX, MOST_PX))
    stream = BytesIO()
    drawn.save(stream, "png")
    stream.seek(0)
    scale = min(PICTURE_WIDTH / drawn.width, PICTURE_HEIGHT / drawn.height)
    return Image(stream, drawn.width * scale, drawn.height * scale)


def _answer(saved: SavedResult) -> list[Flowable]:
    """What stands beside the picture."""
    result = saved.result
    parts: list[Flowable] = [_words(answer_words(result), 15, bold=True), Spacer(0, 6)]
    if has_answer(result):
        parts.append(_words(STANDING_WORDS[standing(result)].capitalize() + ".", 10, bold=True))
    for title, said in (
        ("Known diagnoses of the similar cases", known_words(result)),
        ("This image, read beside each", read_words(result)),
        ("Moved by the reader, so that no figure was measured of it", moved_words(result)),
        ("Made of", share_words(result) if has_answer(result) else ""),
    ):
        if said:
            parts.append(_words(f"{title}: {said}."))
    parts += [_words(f"Read although: {each}") for each in result.input.overruled_messages]
    boxes = placed_boxes(saved)
    for number, placed in enumerate(boxes):
        color = COLORS[number % len(COLORS)]
        words = f"{placed.label}, score {placed.score:.2f}"
        parts.append(_words(f"Box: {words}", swatch=color))
    if not boxes and not result.final.abstained:
        parts.append(_words(NO_BOX))
    failed = [each.message for each in result.input.checks if not each.passed]
    if any(each.name == "annotation" and not each.passed for each in result.input.checks):
        failed.append(PAINTED)
    return [*parts, *(_words(f"Check: {each}", 7.5) for each in failed)]


def _candidates(saved: SavedResult) -> Table:
    """A row a similar case."""
    rows = [["#", "case", "known diagnosis", "this image, read beside it", "p", "weight"]]
    rows += [
        [
            str(each.rank),
            each.candidate_id,
            each.label,
            each.prediction or "-",
            f"{each.probabilities[each.prediction]:.2f}"
            if each.prediction in each.probabilities
            else "-",
            f"{each.weight:.2f}",
        ]
        for each in saved.result.candidates
    ]
    return _grid(rows, [22, 150, 110, 145, 40, 48])


def _versions(saved: SavedResult) -> Table:
    """Everything that is needed to get the answer again."""
    versions, query = saved.result.versions, saved.query
    said = {
        "app": f"{versions.app}, {versions.schema_}",
        "bundle": versions.bundle,
        "index": versions.index,
        "reader": versions.reader,
        "retriever": versions.retriever,
        "numbers": versions.number_type,
        "pixels read": f"sha256 {query.pixels_sha256}, {query.columns} x {query.rows} px",
    }
    rows = [[name, value] for name, value in said.items() if value]
    return _grid(rows, [80, 435], has_head=False)


def _grid(rows: Sequence[Sequence[str]], widths: Sequence[float], has_head: bool = True) -> Table:
    """A quiet table: thin lines below rows, a bold first one."""
    cells = [
        [_words(cell, 8, bold=has_head and not number) for cell in row]
        for number, row in enumerate(rows)
    ]
    style: list[tuple[Any, ...]] = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.3, colors.grey),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    return Table(cells, colWidths=list(widths), style=style, hAlign="LEFT")


def _title(words: str) -> Flowable:
    return _words(words, 10, bold=True, before=10)


def _words(
    words: str,
    size: float = 8.5,
    *,
    bold: bool = False,
    right: bool = False,
    before: float = 0,
    swatch: str = "",
) -> Paragraph:
    """A paragraph of plain words; a swatch is a square of a color in front."""
    style = ParagraphStyle(
        "plain",
        fontName=BOLD if bold else FONT,
        fontSize=size,
        leading=size * 1.3,
        spaceBefore=before,
        spaceAfter=3,
        alignment=2 if right else 0,
        splitLongWords=1,
    )
    mark = f'<font backColor="{swatch}" color="{swatch}">__</font> ' if swatch else ""
    return Paragraph(mark + escape(words, quote=False), style)


def _register_fonts() -> None:
    """Make the fonts known once; they are put into each file, so that it prints alike anywhere."""
    folder = Path(reportlab.__file__).parent / "fonts"
    for name in (FONT, BOLD):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, folder / f"{name}.ttf"))
