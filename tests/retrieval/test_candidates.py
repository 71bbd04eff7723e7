from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jomed_app.data.records import AskedQuestion, CaseRecord
from jomed_app.retrieval.candidates import (
    CANDIDATES_FILE,
    Thumbs,
    decode_thumb,
    encode_thumb,
    read_candidates,
    write_candidates,
    write_thumbs,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COORDINATES = st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(11, 900), st.floats(11, 900))
BOXES = st.lists(st.tuples(COORDINATES, WORDS), max_size=3)


def _make_record(labeled_boxes, are_named, **fields) -> CaseRecord:
    boxes = tuple(box for box, _ in labeled_boxes)
    names = tuple(name for _, name in labeled_boxes) if are_named else ()
    return CaseRecord(boxes=boxes, box_labels=names, **fields)


RECORDS = st.builds(
    _make_record,
    labeled_boxes=BOXES,
    are_named=st.booleans(),
    case_id=WORDS,
    image=WORDS.map(lambda word: f"images/{word.encode().hex()}.png"),
    label=WORDS,
    passage=WORDS,
    extended_passage=WORDS,
    descriptors=st.dictionaries(WORDS, WORDS, max_size=3),
    group=WORDS,
    split=WORDS,
    rows=st.integers(1, 20000),
    columns=st.integers(1, 20000),
    questions=st.lists(
        st.builds(AskedQuestion, question=WORDS, answer=WORDS, is_closed=st.booleans()), max_size=2
    ).map(tuple),
    provenance=st.dictionaries(WORDS, WORDS, max_size=3),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=st.lists(RECORDS, min_size=1, max_size=4))
def test_any_record_comes_back_equal(tmp_path: Path, records: list[CaseRecord]) -> None:
    hashes = [f"{number:064x}" for number in range(len(records))]
    write_candidates(tmp_path, records, hashes)
    assert read_candidates(tmp_path) == (records, hashes)


def test_a_corpus_without_questions_has_no_column_for_them(tmp_path: Path) -> None:
    record = CaseRecord(case_id="a", image="i", label="l", passage="p", rows=1, columns=1)
    write_candidates(tmp_path, [record], ["0"])
    assert "questions" not in pq.read_schema(tmp_path / CANDIDATES_FILE).names


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((480, 480), (256, 256)),
        ((300, 600), (128, 256)),
        ((28, 28), (28, 28)),
        ((1, 900), (1, 256)),
    ],
)
def test_thumbnails_keep_their_aspect_and_never_grow(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    image = np.full((*shape, 3), 90, dtype=np.uint8)
    assert decode_thumb(encode_thumb(image, 256)).shape == (*expected, 3)


def test_gray_is_stored_as_gray_and_color_as_color() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    gray = decode_thumb(encode_thumb(np.stack([ramp] * 3, axis=-1), 256))
    np.testing.assert_array_equal(gray[..., 0], gray[..., 2])
    assert np.abs(gray[..., 0].astype(int) - ramp).max() <= 4  # JPEG at quality 90
    red = np.zeros((64, 64, 3), dtype=np.uint8)
    red[..., 0] = 200
    assert decode_thumb(encode_thumb(red, 256))[32, 32].tolist() == pytest.approx(
        [200, 0, 0], abs=4
    )


def test_thumbnails_are_read_by_row(tmp_path: Path) -> None:
    jpegs = [bytes([number]) * (number + 1) for number in range(5)]
    write_thumbs(tmp_path, jpegs)
    thumbs = Thumbs(tmp_path)
    assert len(thumbs) == 5
    assert [thumbs.jpeg(row) for row in (4, 0, 2)] == [jpegs[4], jpegs[0], jpegs[2]]
