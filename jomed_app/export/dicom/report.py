"""A structured report: Comprehensive SR by TID 1500, a region of TID 1410 for each box.

Beside a study of its own it refers to the secondary capture of the same result, whose px are those
of the part that was read; in a source's study, to the source's image, in px of that.

Codes are those of DICOM, SNOMED CT and UCUM where they have one. Ours are of the private scheme
99JOMED: labels, agreement, scores, for which there is none that means exactly that.
"""

from __future__ import annotations

import hashlib
import re

import highdicom.sr as sr
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from jomed_app.boxes import Box
from jomed_app.export.dicom.capture import capture_object
from jomed_app.export.dicom.identity import Identity
from jomed_app.export.dicom.objects import (
    MANUFACTURER,
    MODEL,
    SERIES_NUMBERS,
    describe_maker,
    file_bytes,
)
from jomed_app.export.dicom.study import SourceStudy
from jomed_app.export.places import Placed, placed_boxes, region_of
from jomed_app.export.saved import SavedResult
from jomed_app.export.words import DISCLAIMER, STANDING_WORDS, has_answer, standing
from jomed_app.types import BoxResult

SCHEME = "99JOMED"
SCHEME_NAME = "Codes of JOMED app, research demo"
MOST_MEANING, MOST_VALUE = 64, 16  # characters of Code Meaning (LO), Code Value (SH)
PIXELS = sr.CodedConcept("{pixels}", "UCUM", "pixels")
CASES = sr.CodedConcept("{cases}", "UCUM", "cases")
IMAGING = sr.CodedConcept("363679005", "SCT", "Imaging procedure")
WIDTH = sr.CodedConcept("103355008", "SCT", "Width")
HEIGHT = sr.CodedConcept("121207", "DCM", "Height")


def report(
    saved: SavedResult, pixels: NDArray[np.uint8], study: SourceStudy | None = None
) -> bytes:
    """Return the report as a DICOM file; arguments as `capture.capture_object`."""
    return file_bytes(report_object(saved, pixels, study))


def report_object(
    saved: SavedResult, pixels: NDArray[np.uint8], study: SourceStudy | None = None
) -> Dataset:
    """Return the report; arguments as `capture.capture_object`."""
    identity = Identity.of(saved, study)
    image = _source_image(study) if study else capture_object(saved, pixels)
    frames = [saved.query.frame + 1] if study and saved.query.num_frames > 1 else None
    refers = (image.SOPClassUID, image.SOPInstanceUID, frames)
    groups: list[
        sr.MeasurementsAndQualitativeEvaluations | sr.PlanarROIMeasurementsAndQualitativeEvaluations
    ] = [_case(saved, identity, refers)]
    groups += [
        _region(saved, identity, number, placed, refers)
        for number, placed in enumerate(_boxes(saved, in_file=study is not None))
    ]
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=identity.uid("device"), manufacturer_name=MANUFACTURER, model_name=MODEL
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(
                observer_type=codes.DCM.Device, observer_identifying_attributes=device
            )
        ),
        procedure_reported=IMAGING,
        imaging_measurements=groups,
        referenced_images=None,
    )
    dataset = sr.ComprehensiveSR(
        evidence=[image],
        content=content[0],
        series_instance_uid=identity.uid("series of reports"),
        series_number=SERIES_NUMBERS["sr"],
        sop_instance_uid=identity.uid("report"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
    )
    dataset.CodingSchemeIdentificationSequence = [_scheme()]
    describe_maker(dataset, saved, "JOMED app: report, research only")
    return identity.settle(dataset)


def own_code(words: str, kind: str) -> sr.CodedConcept:
    """Return a code of ours: its value is the words themselves where they fit, else their hash.

    Args:
        words: the meaning; cut to 64 characters.
        kind: letter in front of the value: A answer, F finding, M measure, Q question.
    """
    value = re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-").upper()
    if not value or len(value) > MOST_VALUE - 2:
        value = hashlib.sha256(words.encode()).hexdigest()[:12].upper()
    meaning = words if len(words) <= MOST_MEANING else f"{words[: MOST_MEANING - 3]}..."
    return sr.CodedConcept(f"{kind}-{value}", SCHEME, meaning)


Reference = tuple[str, str, list[int] | None]


def _case(
    saved: SavedResult, identity: Identity, refers: Reference
) -> sr.MeasurementsAndQualitativeEvaluations:
    """What is said of the whole image: the answer, how it stands, and the figures behind it."""
    result, final = saved.result, saved.result.final
    said = final.prediction if has_answer(result) and final.prediction else "no answer"
    evaluations = [
        sr.QualitativeEvaluation(own_code("Final answer", "Q"), own_code(said, "A")),
        sr.QualitativeEvaluation(
            own_code("Agreement", "Q"), own_code(STANDING_WORDS[standing(result)].lower(), "A")
        ),
    ]
    if result.moved is not None:
        evaluations.append(
            sr.QualitativeEvaluation(own_code("Weights", "Q"), own_code("moved by the reader", "A"))
        )
    evaluations += [
        sr.QualitativeEvaluation(own_code(name, "Q"), own_code(_likeliest(shares), "F"))
        for name, shares in result.findings.items()
        if shares
    ]
    no_unit = codes.UCUM.NoUnits
    measures = [
        sr.Measurement(own_code(f"Probability of {label}", "M"), _rounded(share), no_unit)
        for label, share in final.probabilities.items()
    ]
    if result.candidates and has_answer(result):
        known = sum(each.label == final.prediction for each in result.candidates)
        read = sum(each.prediction == final.prediction for each in result.candidates)
        measures += [
            sr.Measurement(own_code(name, "M"), float(count), CASES)
            for name, count in (
                ("Similar cases", len(result.candidates)),
                ("Similar cases known to be the answer", known),
                ("Similar cases read beside give the answer", read),
            )
        ]
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(identity.uid("case"), "whole image"),
        finding_type=own_code(said, "A"),
        algorithm_id=_algorithm(saved),
        measurements=measures or None,
        qualitative_evaluations=evaluations,
        source_images=[sr.SourceImageForMeasurementGroup(*refers)],
    )


def _region(
    saved: SavedResult, identity: Identity, number: int, placed: Placed, refers: Reference
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    """One box: its outline, size and score."""
    x0, y0, x1, y1 = placed.box.as_tuple()
    outline = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], dtype=np.float32)
    width, height, unit = _size(placed.found, region_of(saved).spacing_mm)
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            identity.uid(f"box {number + 1}"), f"box {number + 1}"
        ),
        referenced_region=sr.ImageRegion(
            sr.GraphicTypeValues.POLYLINE, outline, sr.SourceImageForRegion(*refers)
        ),
        finding_type=own_code(placed.label, "F"),
        algorithm_id=_algorithm(saved),
        measurements=[
            sr.Measurement(WIDTH, _rounded(width), unit),
            sr.Measurement(HEIGHT, _rounded(height), unit),
            sr.Measurement(own_code("Score of the box", "M"), placed.score, codes.UCUM.NoUnits),
        ],
    )


def _boxes(saved: SavedResult, *, in_file: bool) -> tuple[Placed, ...]:
    """The boxes in px of the image that is referred to."""
    if not in_file:
        return placed_boxes(saved)
    return tuple(
        Placed(Box(each.x0, each.y0, each.x1, each.y1), each) for each in saved.result.boxes
    )


def _size(
    found: BoxResult, spacing: tuple[float, float] | None
) -> tuple[float, float, sr.CodedConcept]:
    """Width and height of a box in mm where the file tells its spacing, else in px of the file."""
    width, height = found.x1 - found.x0, found.y1 - found.y0
    if spacing is None:
        return width, height, PIXELS
    return width * spacing[1], height * spacing[0], codes.UCUM.Millimeter


def _algorithm(saved: SavedResult) -> sr.AlgorithmIdentification:
    """What made it, TID 4019."""
    versions = saved.result.versions
    said = {
        "bundle": versions.bundle,
        "index": versions.index,
        "reader": versions.reader,
        "retriever": versions.retriever,
        "number type": versions.number_type,
        "search": saved.result.retrieval,
        "pixels sha256": saved.query.pixels_sha256,
        "use": DISCLAIMER,
    }
    return sr.AlgorithmIdentification(
        name="JOMED app",
        version=versions.app,
        parameters=[f"{name}: {value}" for name, value in said.items() if value],
        manufacturer=MANUFACTURER,
    )


def _source_image(study: SourceStudy) -> Dataset:
    """As much of the source's image as a reference needs."""
    image = Dataset()
    for keyword, value in study.values.items():
        setattr(image, keyword, value)
    return image


def _scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = SCHEME_NAME
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item


def _likeliest(shares: dict[str, float]) -> str:
    return max(shares, key=lambda value: shares[value])


def _rounded(value: float) -> float:
    """Six decimals: what a Decimal String of 16 characters holds of any of our figures."""
    return round(float(value), 6)
