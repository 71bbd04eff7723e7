"""No patient attribute may leave the file: not by the record, an error, a log or a repr."""

from __future__ import annotations

import logging
import warnings

import pytest
from pydicom import config
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from jomed_app.errors import DicomError
from jomed_app.imaging import read_image
from jomed_app.imaging.dicom.deidentify import window_name
from tests.imaging.datasets import gradient, make_dataset, to_bytes

# What decoding itself needs.
NEEDED = {
    "SpecificCharacterSet",
    "PhotometricInterpretation",
    "SOPClassUID",
    "VOILUTFunction",
    "PixelPresentation",
}
TEXT_VRS = {
    "AE",
    "AS",
    "CS",
    "DA",
    "DT",
    "LO",
    "LT",
    "PN",
    "SH",
    "ST",
    "TM",
    "UC",
    "UI",
    "UR",
    "UT",
}
SHORT = {"AS": "M{:03d}", "CS": "MRK{}", "DA": "1901{:04d}", "UI": "1.2.777.{}", "TM": "777{}"}


def marked_dataset() -> tuple[Dataset, list[str]]:
    """Return an image with a unique marker in every text attribute of the dictionary."""
    dataset, nested, markers = make_dataset(gradient()), Dataset(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (tag, entry) in enumerate(sorted(DicomDictionary.items())):
            vr, keyword = entry[0], entry[4]
            if vr not in TEXT_VRS or tag >> 16 in (0x0000, 0x0002) or not keyword:
                continue
            if keyword in NEEDED or tag >> 16 == 0x7FE0:
                continue
            marker = SHORT.get(vr, "MARKER{}").format(number + 10_000)
            dataset.add_new(tag, vr, marker)
            nested.add_new(tag, vr, marker)
            markers.append(marker)
        dataset.ReferencedImageSequence = Sequence([nested])
        block = dataset.private_block(0x0011, "MARKERCREATOR", create=True)
        block.add_new(0x01, "LO", "MARKERPRIVATE")
        dataset.WindowCenter, dataset.WindowWidth = ["100", "200"], ["300", "400"]
        dataset.WindowCenterWidthExplanation = ["MARKERWINDOW", "MRS MARKER"]
        dataset.SpecificCharacterSet = "ISO_IR 192"
    return dataset, [*markers, "MARKER"]


@pytest.fixture(scope="module")
def marked() -> tuple[bytes, list[str]]:
    mode = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    try:
        dataset, markers = marked_dataset()
        return to_bytes(dataset), markers
    finally:
        config.settings.writing_validation_mode = mode


def test_no_marker_leaves_with_the_record_or_the_logs(marked, caplog):
    data, markers = marked
    assert len(markers) > 1800
    assert all(marker.encode() in data for marker in markers)
    with caplog.at_level(logging.DEBUG):
        record = read_image(data)
    seen = " ".join(
        [repr(record), str(record.metadata), record.info.model_dump_json(), caplog.text]
    )
    assert not [marker for marker in markers if marker in seen]
    assert record.info.modality is None
    assert [window.name for window in record.windows] == ["File window 1", "File window 2"]


@pytest.mark.parametrize("cut", [400, 20_000, -100, -4000])
def test_no_marker_leaves_with_an_error(marked, cut, caplog):
    data, markers = marked
    with caplog.at_level(logging.DEBUG), pytest.raises(DicomError, match="required") as caught:
        read_image(data[:cut])
    seen = f"{caught.value} {caught.value!r} {caplog.text}"
    assert not [marker for marker in markers if marker in seen]
    # No chained exception: a log with its traceback would quote the parser.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_file_name_does_not_leave_with_an_error(tmp_path):
    path = tmp_path / "MARKER^JOHN.dcm"
    for make in (lambda: None, path.mkdir):
        make()
        with pytest.raises(Exception, match="readable image file is required") as caught:
            read_image(path)
        assert "MARKER" not in str(caught.value)
        assert caught.value.__context__ is None


def test_allowed_facts_are_read_and_odd_values_are_dropped():
    dataset = make_dataset(gradient(), bits_stored=12)
    dataset.Modality = "MG"
    dataset.BodyPartExamined = "BREAST"
    dataset.ViewPosition = "MLO"
    dataset.ImageLaterality = "L"
    dataset.ManufacturerModelName = "Senographe 2000D"  # free text: it may hold a serial number
    dataset.ImagerPixelSpacing = ["0.1", "0.1"]
    metadata = dict(read_image(to_bytes(dataset)).metadata)
    assert metadata == {
        "Modality": "MG",
        "BodyPartExamined": "BREAST",
        "ViewPosition": "MLO",
        "Laterality": "L",
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": "64",
        "Columns": "64",
        "BitsStored": "12",
        "ImagerPixelSpacing": "0.1 x 0.1",
        "PixelSpacing": "0.1 x 0.1",
        "TransferSyntax": "Explicit VR Little Endian",
        "VOILUTFunction": "LINEAR_EXACT",
    }
    dataset.BodyPartExamined = "SMITH JOHN"
    metadata = read_image(to_bytes(dataset)).metadata
    assert "BodyPartExamined" not in metadata


@pytest.mark.parametrize(
    ("explanation", "name"),
    [
        ("LUNG", "Lung"),
        ("soft_tissue", "Soft tissue"),
        ("", "File window 3"),
        ("LUNG SMITH", "File window 3"),
        ("LUNG " * 9, "File window 3"),
    ],
)
def test_a_window_keeps_only_a_known_name(explanation, name):
    assert window_name(explanation, 3) == name
