"""The DICOM objects, looked at by pydicom, highdicom, dciodvfy and DCMTK."""

from __future__ import annotations

import io
import shutil
import subprocess

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from jomed_app.export.dicom.identity import NO_DAY
from jomed_app.export.dicom.report import own_code
from jomed_app.export.dicom.study import read_study
from jomed_app.export.kinds import KINDS, export
from jomed_app.export.page import pdf
from jomed_app.export.picture import labelled_picture
from jomed_app.export.places import placed_boxes
from tests.export.finished_cases import STUDY, finished, ultrasound_dicom
from tests.ui.fake_engine import ConsistencyState, FakeEngine

DICOM = [name for name, kind in KINDS.items() if kind.is_dicom]
DUMPS = {"sr": "dsrdump", "sc": "dcmdump", "dicom-pdf": "dcmdump"}
NEEDS_NO_PATIENT = ("build DICOMDIR", "99JOMED", "attribute <Laterality>")  # warnings that stay


@pytest.fixture(scope="module")
def made():
    """Every object by kind, alone and in the source's study, with what it was made from."""
    data = ultrasound_dicom()
    kept, image = finished(data)
    study = read_study(data)
    alone = {kind: export(kind, kept, image) for kind in DICOM}
    filed = {kind: export(kind, kept, image, study) for kind in DICOM}
    return kept, image, {"alone": alone, "filed": filed}


def opened(content: bytes):
    return dcmread(io.BytesIO(content))


@pytest.mark.parametrize("kind", DICOM)
@pytest.mark.parametrize("where", ["alone", "filed"])
def test_dciodvfy_finds_no_error(made, kind, where, tmp_path):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dicom3tools is not installed")
    path = tmp_path / "object.dcm"
    path.write_bytes(made[2][where][kind])
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    said = (done.stderr + done.stdout).splitlines()
    assert [line for line in said if line.startswith("Error")] == []
    warned = [line for line in said if line.startswith("Warning")]
    assert [line for line in warned if not any(word in line for word in NEEDS_NO_PATIENT)] == []


@pytest.mark.parametrize("kind", DICOM)
def test_a_second_reader_reads_it(made, kind, tmp_path):
    if shutil.which(DUMPS[kind]) is None:
        pytest.skip("DCMTK is not installed")
    path = tmp_path / "object.dcm"
    path.write_bytes(made[2]["alone"][kind])
    done = subprocess.run([DUMPS[kind], str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    expected = {"sr": "SCOORD", "sc": "PixelData", "dicom-pdf": "application/pdf"}
    assert expected[kind] in done.stdout


@pytest.mark.parametrize("kind", DICOM)
def test_no_patient_no_day_and_no_source_is_told(made, kind):
    content = made[2]["alone"][kind]
    dataset = opened(content)
    patient = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
    study = ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName")
    assert {str(dataset[name].value or "") for name in (*patient, *study)} == {""}
    assert "PatientIdentityRemoved" not in dataset, "a detector is no proof"
    days = {str(e.value) for e in dataset.iterall() if e.VR in ("DA", "DT") and e.value}
    assert days <= {NO_DAY}
    for value in STUDY.values():
        assert not value or len(value) < 5 or value.encode() not in content, value
    uids = [str(e.value) for e in dataset.iterall() if e.VR == "UI"]
    assert not [uid for uid in uids if uid.startswith("1.2.3.4")]


def test_the_three_share_a_study_and_the_report_points_to_the_capture(made):
    alone = {kind: opened(content) for kind, content in made[2]["alone"].items()}
    assert len({each.StudyInstanceUID for each in alone.values()}) == 1
    assert len({each.SeriesInstanceUID for each in alone.values()}) == 3
    evidence = alone["sr"].CurrentRequestedProcedureEvidenceSequence
    pointed = evidence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert pointed.ReferencedSOPInstanceUID == alone["sc"].SOPInstanceUID
    assert all(uid.startswith("2.25.") for uid in (alone["sr"].SOPInstanceUID,))


@pytest.mark.parametrize("kind", DICOM)
def test_a_named_study_files_it_beside_the_image(made, kind):
    dataset = opened(made[2]["filed"][kind])
    for name in ("StudyInstanceUID", "PatientID", "PatientBirthDate", "StudyDate", "StudyID"):
        assert str(dataset[name].value) == STUDY[name]
    assert str(dataset.PatientName) == STUDY["PatientName"]
    assert dataset.SeriesInstanceUID != STUDY["SeriesInstanceUID"]
    assert "InstitutionName" not in dataset
    assert dataset.SOPInstanceUID != opened(made[2]["alone"][kind]).SOPInstanceUID


@pytest.mark.parametrize("where", ["alone", "filed"])
def test_highdicom_reads_boxes_sizes_and_the_answer(made, where):
    kept, image, objects = made
    report = hd.sr.srread(io.BytesIO(objects[where]["sr"]))
    regions = report.content.get_planar_roi_measurement_groups()
    boxes = kept.result.boxes
    assert len(regions) == len(boxes) == 2
    spacing = (0.1, 0.2)
    assert image.pixel_spacing_mm == spacing
    for group, box, placed in zip(regions, boxes, placed_boxes(kept), strict=True):
        corners = group.roi.value
        shown = placed.box.as_tuple() if where == "alone" else (box.x0, box.y0, box.x1, box.y1)
        assert np.allclose((*corners.min(0), *corners.max(0)), shown, atol=1e-3)
        values = [each.value for each in group.get_measurements()]
        sizes = ((box.x1 - box.x0) * spacing[1], (box.y1 - box.y0) * spacing[0], box.score)
        assert values == pytest.approx(sizes, abs=1e-5)
        assert group.get_measurements()[0].unit.value == "mm"
    whole = report.content.get_image_measurement_groups()[0]
    said = {each.name.meaning: each.value.meaning for each in whole.get_qualitative_evaluations()}
    assert said["Final answer"] == kept.result.final.prediction
    assert said["Agreement"] == "readings disagree"
    source = STUDY["SOPInstanceUID"] if where == "filed" else None
    pointed = regions[0].referenced_images if hasattr(regions[0], "referenced_images") else None
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    uid = evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert source is None or uid == source
    assert pointed is None or pointed


def test_the_captures_pixels_are_the_labelled_picture(made):
    kept, image, objects = made
    dataset = opened(objects["alone"]["sc"])
    assert np.array_equal(
        dataset.pixel_array, np.asarray(labelled_picture(kept, image.model_input))
    )
    assert [float(each) for each in dataset.PixelSpacing] == [0.1, 0.2]
    assert dataset.Modality == "OT"


def test_the_pdf_is_the_page(made):
    kept, image, objects = made
    dataset = opened(objects["alone"]["dicom-pdf"])
    content = dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength]
    assert content == pdf(kept, image.model_input)


def test_without_an_answer_or_a_box_the_report_says_so():
    kept, image = finished(engine=FakeEngine(state=ConsistencyState.ABSTAIN))
    empty = kept.model_copy(update={"result": kept.result.model_copy(update={"boxes": ()})})
    report = hd.sr.srread(io.BytesIO(export("sr", empty, image)))
    assert report.content.get_planar_roi_measurement_groups() == []
    whole = report.content.get_image_measurement_groups()[0]
    said = {each.name.meaning: each.value.meaning for each in whole.get_qualitative_evaluations()}
    assert said["Final answer"] == "no answer"


def test_a_box_outside_of_what_was_read_shifts_no_other():
    kept, image = finished()
    region = kept.result.input.region.model_copy(update={"x0": 300, "source": "user"})
    info = kept.result.input.model_copy(update={"region": region})
    query = kept.query.model_copy(update={"columns": 180})
    part = kept.model_copy(
        update={"result": kept.result.model_copy(update={"input": info}), "query": query}
    )
    (group,) = hd.sr.srread(
        io.BytesIO(export("sr", part, image))
    ).content.get_planar_roi_measurement_groups()
    second = kept.result.boxes[1]
    values = [each.value for each in group.get_measurements()]
    assert values == pytest.approx([second.x1 - second.x0, second.y1 - second.y0, second.score])
    assert group.roi.value[:, 0].min() == pytest.approx(second.x0 - 300)
    assert group.get_measurements()[0].unit.value == "{pixels}"


def test_a_frame_is_named_where_the_source_has_several():
    frames = np.stack([np.full((64, 80), value, np.uint8) for value in (20, 90, 160)])
    data = ultrasound_dicom()
    kept, image = finished(data)
    query = kept.query.model_copy(update={"frame": 1, "num_frames": len(frames)})
    several = kept.model_copy(update={"query": query})
    report = hd.sr.srread(io.BytesIO(export("sr", several, image, read_study(data))))
    numbers = {
        int(item.ReferencedFrameNumber)
        for item in _items(report)
        if "ReferencedFrameNumber" in item
    }
    assert numbers == {2}


def _items(dataset):
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from _items(item)


def test_codes_fit_their_elements():
    long = "invasive ductal carcinoma of no special type with a lymphocyte-rich stroma, grade 3"
    for words in ("malignant", "melanocytic nevi", long, "乳房", "-"):
        code = own_code(words, "A")
        assert 2 < len(code.value) <= 16
        assert 0 < len(code.meaning) <= 64
    assert own_code("malignant", "A").value == "A-MALIGNANT"
    assert own_code(long, "A").value != own_code(long + "!", "A").value
