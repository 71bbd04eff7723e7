"""The page of DICOM conformance, docs/dicom_conformance.md, and the counts that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.dicom.golden import GRAY_ROWS, GoldenRow
from benchmarks.dicom.golden_files import FILE_ROWS
from jomed_app.evaluation.report.pages.markdown import fill, table
from tests.imaging.dicom.encoded.make_files import FILES

GOLDEN = {f"{each.group}: {each.name}": each for each in (*GRAY_ROWS, *FILE_ROWS)}
# Where a shipped file differs from DCMTK's picture and the app is right.
_BIG_ENDIAN_32 = (
    "DCMTK 3.6.7 takes the two halves of a 32-bit big endian value in the other order; the app's "
    "picture is that of the same dose in little endian, on which both agree"
)
APP_IS_RIGHT = {
    "rtdose_expb.dcm": _BIG_ENDIAN_32,
    "rtdose_expb_1frame.dcm": _BIG_ENDIAN_32,
    "SC_ybr_full_uncompressed.dcm": (
        "DCMTK 3.6.7 cuts off what YBR to RGB leaves behind the point; the app's values lie "
        "within half a level of PS3.3 C.7.6.3.1.2"
    ),
}


def count(files: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Count what became of the shipped files: by their first frame, and last frames apart."""
    read = [each for each in files.values() if each["outcome"] == "read"]
    refused = [each for each in files.values() if each["outcome"] == "refused"]
    differ = [name for name, each in files.items() if "differs" in _verdicts(each)]
    explained = [name for name in differ if Path(name).name in APP_IS_RIGHT]
    return {
        "files_tried": len(files),
        "read": len(read),
        "refused": len(refused),
        "decoded_by_both": sum(each["dcmtk"] in ("agrees", "differs") for each in read),
        "agree_within_1_level": sum(each["dcmtk"] == "agrees" for each in read),
        "last_frames_compared": sum(
            each.get("last_frame", "does not decode") != "does not decode" for each in read
        ),
        "last_frames_that_agree": sum(each.get("last_frame") == "agrees" for each in read),
        "files_that_differ": len(differ),
        "differ_and_the_app_is_right": len(explained),
        "differ_and_the_app_is_wrong": len(differ) - len(explained),
        "decoded_by_the_app_alone": sum(each["dcmtk"] == "does not decode" for each in read),
        "decoded_by_dcmtk_alone": sum(each["dcmtk"] == "decodes" for each in refused),
        "refused_by_both": sum(each["dcmtk"] == "does not decode" for each in refused),
    }


def page(values: Mapping[str, Any]) -> str:
    """Word the kept values of `run.main` and the golden table of the code."""
    verdicts = values["golden"]
    golden = [
        [row.group, row.name, _expected(row), _said(verdicts[name], row.why_dcmtk_differs)]
        for name, row in GOLDEN.items()
    ]
    encoded = [
        [
            name.replace("_", " "),
            " ".join(each.encoder),
            each.tolerance,
            _said(values["encoded"][name], ""),
        ]
        for name, each in FILES.items()
    ]
    files = values["files"]
    shown = {name: each for name, each in files.items() if each["outcome"] == "read"}
    return fill(
        Path(__file__).with_name("page.md.jinja"),
        counts=count(files),
        versions=", ".join(f"{name} {number}" for name, number in values["versions"].items()),
        golden=table(["about", "file", "gives", "DCMTK"], golden, words=(0, 1, 2, 3)),
        encoded=table(["file", "encoder", "off by at most", "DCMTK"], encoded, words=(0, 1, 3)),
        read=table(
            ["file", "pixels", "frames", "kind", "curve", "lowest, mean, highest", "DCMTK"],
            [_read_row(name, each) for name, each in shown.items()],
            words=(0, 3, 4, 6),
        ),
        refused=table(
            ["files", "of them", "sentence", "DCMTK decodes"],
            _refused_rows([each for each in files.values() if each["outcome"] == "refused"]),
            words=(2,),
        ),
    )


def _expected(row: GoldenRow) -> str:
    """What must come of a row: values, or the words of the refusal."""
    if isinstance(row.expected, str):
        return f"refused: {row.expected.replace('.*', '…')}"
    return " ".join(map(str, row.expected))


def _said(verdict: Mapping[str, Any], why: str) -> str:
    """DCMTK's verdict in words."""
    said = str(verdict["dcmtk"])
    return f"{said}: {why}" if said == "differs" else said


def _read_row(name: str, each: Mapping[str, Any]) -> list[object]:
    verdict = {"dcmtk": "differs" if "differs" in _verdicts(each) else each["dcmtk"]}
    return [
        name,
        f"{each['rows']} x {each['columns']}",
        each["frames"],
        each["photometric"],
        each["curve"],
        f"{each['lowest']}, {each['mean']:.2f}, {each['highest']}",
        _said(verdict, APP_IS_RIGHT.get(Path(name).name, "not explained")),
    ]


def _verdicts(each: Mapping[str, Any]) -> tuple[str, str]:
    """DCMTK's verdicts on a file's first and last frame."""
    return each["dcmtk"], each.get("last_frame", "")


def _refused_rows(refused: Sequence[Mapping[str, Any]]) -> list[list[object]]:
    """Sentences, each with how many files and how many of them DCMTK decodes."""
    rows: list[list[object]] = []
    for sentence in sorted({each["sentence"] for each in refused}):
        same = [each for each in refused if each["sentence"] == sentence]
        decoded = sum(each["dcmtk"] == "decodes" for each in same)
        rows.append([len(rows) + 1, len(same), sentence, decoded])
    return rows
