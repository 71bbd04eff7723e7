"""Text burned into a picture: where it stands, never what it says; painted over for the model.

Source: the tiny detector of PP-OCRv6 (PaddleOCR, Apache-2.0), an ONNX file beside the weights of
the app; its post-processing as in Liao et al., Real-time Scene Text Detection with Differentiable
Binarization, arXiv:1911.08947, section 3.4. No recognizer is part of the app.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from jomed_app.errors import BundleError
from jomed_app.imaging.annotations import fill_marked
from jomed_app.types import Check

DETECTOR = Path(__file__).resolve().parents[3] / "assets" / "text" / "detector.onnx"
DETECTOR_SHA256 = "f42c0fbd294d95eac1a550e131b277dac97462c8025fa4b6c3cec1b7894bd3d5"

LONGEST_PX = 640  # ours: of the resized picture; 736 and 960 found no more, and took longer
_STRIDE = 32
_MAP_THRESHOLD = 0.3
MIN_SCORE = 0.6
MIN_SIDE_PX = 3
MIN_ASPECT = 1.8  # a line is wide: crosses of callipers and a probe's mark are none
SHORT_ASPECT = 1.0  # of a label of two or three signs, among other lines
MIN_COMPANIONS = 4  # lines, before what is short counts: a bare image has a label or two
SHORT_HEIGHTS = (0.6, 1.6)  # times the middle height of the lines, for what is short
MAX_HEIGHT = 1 / 6  # of the shorter side of the picture
STROKE_PX = 9  # a stroke is thinner
MIN_STROKE = 20  # gray levels that a stroke stands out by
GLYPH_SHARE = 0.3  # of a line's height, for a glyph; speckle, and most dots of callipers, are lower
MIN_PAINTED = 2  # lines: a single label stands on many images that the bundle learned from
UNCLIP = 1.5  # the map marks the cores of lines: each grows by area times this over perimeter
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_SCALE = np.array([0.229, 0.224, 0.225], dtype=np.float32)

Corners = tuple[int, int, int, int]


def find_text(rendering: NDArray[np.uint8]) -> tuple[Corners, ...]:
    """Find lines of text.

    Args:
        rendering: (rows, columns, 3) RGB.

    Returns:
        (x0, y0, x1, y1) of each line, px, half-open, in reading order.

    Raises:
        BundleError: if the detector's file is missing or altered.
    """
    rows, columns = rendering.shape[:2]
    if min(rows, columns) < _STRIDE:
        return ()
    score_map = _score_map(rendering)
    labels, count = ndimage.label(score_map > _MAP_THRESHOLD, np.ones((3, 3), dtype=int))
    if count == 0:
        return ()
    numbers = np.arange(1, count + 1)
    means = np.atleast_1d(ndimage.mean(score_map, labels, numbers))
    across, down = columns / score_map.shape[1], rows / score_map.shape[0]
    found = []
    for (vertical, horizontal), mean in zip(ndimage.find_objects(labels), means, strict=True):
        height, width = vertical.stop - vertical.start, horizontal.stop - horizontal.start
        if mean < MIN_SCORE or min(height, width) < MIN_SIDE_PX:
            continue
        grown = UNCLIP * height * width / (2 * (height + width))
        found.append(
            (
                max(0, round((horizontal.start - grown) * across)),
                max(0, round((vertical.start - grown) * down)),
                min(columns, round((horizontal.stop + grown) * across)),
                min(rows, round((vertical.stop + grown) * down)),
            )
        )
    highest = MAX_HEIGHT * min(rows, columns)
    low = [line for line in found if line[3] - line[1] <= highest]
    lines = [
        line for line in low if _aspect(line) >= MIN_ASPECT and _holds_glyph(_cut(rendering, line))
    ]
    lines += _short_lines(rendering, low, lines)
    return tuple(sorted(lines, key=lambda line: (line[1], line[0])))


def _short_lines(
    rendering: NDArray[np.uint8], found: Sequence[Corners], lines: Sequence[Corners]
) -> list[Corners]:
    """Return labels of two or three signs, such as "2D", beside lines of about their height.

    Ours: alone, a short one cannot be told from a calliper's cross; where machines write lines,
    they write short ones too.
    """
    if len(lines) < MIN_COMPANIONS:
        return []
    middle = float(np.median([y1 - y0 for _, y0, _, y1 in lines]))
    least, most = (share * middle for share in SHORT_HEIGHTS)
    return [
        line
        for line in found
        if SHORT_ASPECT <= _aspect(line) < MIN_ASPECT
        and least <= line[3] - line[1] <= most
        and _holds_glyph(_cut(rendering, line))
    ]


def _aspect(line: Corners) -> float:
    return (line[2] - line[0]) / (line[3] - line[1])


def _cut(rendering: NDArray[np.uint8], line: Corners) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = line
    return rendering[y0:y1, x0:x1]


def lines_in(text: Sequence[Corners], region: Corners) -> tuple[Corners, ...]:
    """Return the parts of lines that lie in a region, in px of the region."""
    left, top, right, bottom = region
    return tuple(
        (max(x0, left) - left, max(y0, top) - top, min(x1, right) - left, min(y1, bottom) - top)
        for x0, y0, x1, y1 in text
        if x0 < right and left < x1 and y0 < bottom and top < y1
    )


def paint_over(
    picture: NDArray[np.uint8], lines: Sequence[Corners], least: int = MIN_PAINTED
) -> NDArray[np.uint8]:
    """Fill the strokes of lines of text from around; pixels between the strokes stay.

    Ours: a single line stays. Many images that the bundle learned from bear one label, and to
    paint it over moves an answer for nothing.

    Args:
        picture: (rows, columns, 3).
        lines: (x0, y0, x1, y1), px.
        least: so many lines are painted over, fewer stay; what leaves the app asks for 1.

    Returns:
        A new picture; with fewer than `least` lines, the same.
    """
    if len(lines) < least:
        return picture
    painted = picture.copy()
    for x0, y0, x1, y1 in lines:
        around = np.s_[max(0, y0 - STROKE_PX) : y1 + STROKE_PX, max(0, x0 - STROKE_PX) :
                       x1 + STROKE_PX]  # fmt: skip
        patch = painted[around]
        strokes = _strokes(patch)
        inside = np.zeros_like(strokes)
        top, left = y0 - around[0].start, x0 - around[1].start
        inside[top : top + y1 - y0, left : left + x1 - x0] = True
        painted[around] = fill_marked(patch, ndimage.maximum_filter(strokes & inside, 3))
    painted.setflags(write=False)
    return painted


def _strokes(patch: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the strokes of a patch with a line in it, bright or dark, whichever stand out more."""
    gray = patch.max(axis=2).astype(np.int16)
    bright = gray - ndimage.grey_opening(gray, size=STROKE_PX, mode="nearest")
    dark = ndimage.grey_closing(gray, size=STROKE_PX, mode="nearest") - gray
    strokes: NDArray[np.bool_] = (bright if bright.max() >= dark.max() else dark) > MIN_STROKE
    return strokes


def _holds_glyph(patch: NDArray[np.uint8]) -> bool:
    """Return whether a stroke of a line reaches over much of its height, as a glyph does."""
    labels, _ = ndimage.label(_strokes(patch), np.ones((3, 3), dtype=int))
    tall = GLYPH_SHARE * len(patch)
    return any(down.stop - down.start >= tall for down, _ in ndimage.find_objects(labels))


def text_check(lines: Sequence[Corners], rows: int, columns: int) -> Check:
    """Say whether text is burned into what is read, and where; never what it says.

    Args:
        lines: (x0, y0, x1, y1), px of what is read.
        rows: of what is read.
        columns: of what is read.
    """
    message = "No burned-in text was found in the part that is read; look for yourself."
    if lines:
        places = dict.fromkeys(_place(line, rows, columns) for line in lines)
        how = (
            "it was painted over before the model read it"
            if len(lines) >= MIN_PAINTED
            else "a single line is not painted over, the model reads the picture with it"
        )
        message = (
            f"Text is burned into the picture ({', '.join(places)}); {how}. "
            "Check it for names before you show the picture to others."
        )
    return Check(name="annotation", passed=not lines, value=float(len(lines)), message=message)


def _place(line: Corners, rows: int, columns: int) -> str:
    """Return in which ninth of the picture a line has its middle, in words."""
    x, y = (line[0] + line[2]) / 2 / columns, (line[1] + line[3]) / 2 / rows
    down = ("upper", "", "lower")[min(2, int(3 * y))]
    across = ("left", "", "right")[min(2, int(3 * x))]
    if down and across:
        return f"{down} {across} corner"
    if down:
        return f"{down} edge"
    return f"{across} side" if across else "center"


def _score_map(rendering: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probability of text, (rows, columns) of the resized picture."""
    rows, columns = rendering.shape[:2]
    scale = min(1.0, LONGEST_PX / max(rows, columns))
    size = tuple(max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in (columns, rows))
    # Channel by channel, and one alone where all share it: a large picture is not held twice.
    shown = [0] * 3 if rendering.strides[2] == 0 else range(3)
    resized = {
        channel: Image.fromarray(np.ascontiguousarray(rendering[:, :, channel])).resize(
            size, Image.Resampling.BILINEAR, reducing_gap=2.0
        )
        for channel in set(shown)
    }
    picture = np.stack([np.asarray(resized[channel], dtype=np.float32) for channel in shown], -1)
    pixels = (picture / 255 - _MEAN) / _SCALE
    (said,) = _detector().run(None, {"x": pixels.transpose(2, 0, 1)[None]})
    score_map: NDArray[np.float32] = np.asarray(said, dtype=np.float32)[0, 0]
    return score_map


@lru_cache(maxsize=1)
def _detector() -> Any:
    """Load the detector, once in a process."""
    from onnxruntime import InferenceSession, SessionOptions

    content = DETECTOR.read_bytes() if DETECTOR.is_file() else b""
    if hashlib.sha256(content).hexdigest() != DETECTOR_SHA256:
        raise BundleError(
            "the text detector that ships with the app is required, found "
            f"{'another file' if content else 'none'}; restore assets/text/detector.onnx"
        )
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return InferenceSession(content, options, providers=["CPUExecutionProvider"])
