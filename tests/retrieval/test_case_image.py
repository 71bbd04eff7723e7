"""A case on a machine's screen is indexed as the same screen would be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.reliability.screens.layouts import LAYOUTS, Screen, draw_screen
from jomed_app.data.records import CaseRecord
from jomed_app.errors import RecordError
from jomed_app.imaging import read_image
from jomed_app.retrieval.build import add_to_index, build_index
from jomed_app.retrieval.case_image import PROVENANCE_KEY, read_case_image
from jomed_app.simulator.case import simulate_case
from tests.imaging.datasets import dicom_bytes
from tests.imaging.dicom.test_regions import region
from tests.retrieval.drawn import DrawnEncoder, draw_case


@pytest.fixture(scope="module")
def screen() -> Screen:
    gray = simulate_case(3).image
    rows, columns = gray.shape
    tissue = np.repeat(gray[: rows - 60, 10 : columns - 70, None], 3, axis=2)
    return draw_screen(tissue, LAYOUTS["text on black"], np.random.default_rng(0))


def case_of(folder: Path, screen: Screen, *, boxes: tuple = (), as_dicom: bool = False):
    rows, columns = screen.pixels.shape[:2]
    name = "screen.dcm" if as_dicom else "screen.png"
    if as_dicom:
        x0, y0, x1, y1 = screen.corners
        tag = [region(x0, y0, x1 - 1, y1 - 1)]
        data = dicom_bytes(
            screen.pixels, photometric="RGB", Modality="US", SequenceOfUltrasoundRegions=tag
        )
        (folder / name).write_bytes(data)
    else:
        Image.fromarray(screen.pixels).save(folder / name)
    return CaseRecord(
        case_id="s000", image=name, label="benign", passage="A screen.", rows=rows,
        columns=columns, boxes=boxes, box_labels=("benign",) * len(boxes),
    )  # fmt: skip


@pytest.mark.parametrize(("as_dicom", "source"), [(False, "detected"), (True, "tag")])
def test_a_screen_is_indexed_by_its_region_and_boxes_move_along(as_dicom, source, screen, tmp_path):
    x0, y0, _x1, _y1 = screen.corners
    box = (x0 + 20.0, y0 + 30.0, x0 + 90.0, y0 + 80.0)
    record = case_of(tmp_path, screen, boxes=(box,), as_dicom=as_dicom)
    case = read_case_image(record, 1, tmp_path)
    assert case.source == source
    query = read_image(tmp_path / record.image)
    np.testing.assert_array_equal(case.pixels, query.model_input)
    assert (case.record.rows, case.record.columns) == query.size_px
    assert query.info.region.corners == pytest.approx(screen.corners, abs=1)
    moved = [side - near for side, near in zip(box, (x0, y0, x0, y0), strict=True)]
    assert case.record.boxes[0] == pytest.approx(moved, abs=1)
    assert case.record.box_labels == ("benign",)
    assert "of 1024 x 768 px" in case.record.provenance[PROVENANCE_KEY]


def test_a_region_that_cuts_a_known_box_is_not_taken(screen, tmp_path):
    x0, y0, x1, _ = screen.corners
    boxes = ((x0 + 20.0, y0 + 30.0, x0 + 90.0, y0 + 80.0), (x1 - 30.0, y0, x1 + 10.0, y0 + 20.0))
    record = case_of(tmp_path, screen, boxes=boxes)
    case = read_case_image(record, 1, tmp_path)
    assert (case.source, case.record) == ("whole", record)
    assert case.pixels.shape == screen.pixels.shape


def test_the_manifest_counts_what_was_read_and_an_older_one_stays_sealed(screen, tmp_path):
    bare = [draw_case(tmp_path, number) for number in range(3)]
    encoder = DrawnEncoder()
    build_index(bare[:2], tmp_path, encoder, tmp_path / "out", name="x")
    record = case_of(tmp_path, screen)
    built = add_to_index(tmp_path / "out", [record, bare[2]], tmp_path, encoder)
    assert built.info.regions == {"detected": 1, "whole": 3}
    assert built.candidate("s000").rows < record.rows
    whole = built.info.model_copy(update={"regions": None}).sealed()
    assert "regions" not in whole.to_text()
    assert type(whole).model_validate_json(whole.to_text()).is_sealed()


def test_the_size_of_the_file_is_what_a_record_must_state(screen, tmp_path):
    record = case_of(tmp_path, screen).model_copy(update={"rows": 600})
    with pytest.raises(RecordError, match="found 600 x 1024 for an image of 768 x 1024 px"):
        read_case_image(record, 7, tmp_path)
