"""docs/reliability.md: what was tried, how much of it, and what failed, from the recorded runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.reliability.records import FOLDER, load
from jomed_app.evaluation.report.pages.markdown import NOTHING, fill, table

HEADER = ("what was tried", "how much", "what failed")
Record = Mapping[str, Any]
Row = tuple[str, str, str]


class Chapter(NamedTuple):
    """One kind of run.

    Attributes:
        title: heading.
        command: that records it.
        text: what is tried, and how a failure shows.
        rows: what was tried, how much of it, what failed, from a record.
    """

    title: str
    command: str
    text: str
    rows: Callable[[Record], list[Row]]


def page(folder: Path = FOLDER) -> str:
    """Word the records of a folder; kinds without a record are named as not recorded."""
    records = load(folder)
    chapters = [
        {
            "title": each.title,
            "command": each.command,
            "text": each.text,
            "on": _on(records[kind]),
            "table": table(HEADER, each.rows(records[kind]), words=range(len(HEADER))),
        }
        for kind, each in CHAPTERS.items()
        if kind in records
    ]
    missing = [each.title for kind, each in CHAPTERS.items() if kind not in records]
    template = Path(__file__).with_name("reliability.md.jinja")
    return fill(template, chapters=chapters, missing=missing)


def _on(record: Record) -> str:
    """On what a run was recorded, as far as its record says."""
    if "hardware" not in record:
        return ""
    runs = [*record.get("earlier", ()), record]
    return "; ".join(f"{each['hardware']}, commit {each['commit']}" for each in runs)


def _fuzz(record: Record) -> list[Row]:
    runs = [*record.get("earlier", ()), record]

    def total(name: str) -> Any:  # an integer stays one
        return sum(each[name] for each in runs)

    inputs = f"{total('inputs'):,}"
    limits = record["limits"]
    failures = (
        (f"a decode of more than {limits['hang_s']:g} s of processor time", "hangs"),
        ("an exception that is none of ours", "untyped"),
        ("a planted identifier in a record or an error", "leaks"),
        (f"more than {limits['memory_mb']} MiB held", "over_memory"),
    )
    rows = [(said, inputs, str(total(name))) for said, name in failures]
    rows.append(
        (
            "decoded, refused by a sentence",
            f"{total('answered'):,}, {total('refused'):,}",
            NOTHING,
        )
    )
    rows.append(("time of the runs", f"{total('seconds'):,.0f} s", NOTHING))
    rows.append(
        (
            "slowest decode, most memory held",
            f"{max(each['slowest_s'] for each in runs):.1f} s, "
            f"{max(each['peak_bytes'] for each in runs) / 2**20:.0f} MiB",
            NOTHING,
        )
    )
    return rows


def _dicom(record: Record) -> list[Row]:
    counts = record["counts"]
    return [
        (
            "within one gray level of DCMTK",
            f"{counts['decoded_by_both']} files that both decode",
            f"{counts['differ_and_the_app_is_wrong']} (and {counts['differ_and_the_app_is_right']} "
            "in which DCMTK departs)",
        ),
        (
            "decoded where DCMTK decodes",
            f"{counts['files_tried']} files tried, {counts['read']} read",
            f"{counts['decoded_by_dcmtk_alone']} decoded by DCMTK alone",
        ),
    ]


def _decoder(record: Record) -> list[Row]:
    rows = [
        (
            f"{name}: milliseconds more than in the server's own process, median",
            f"{each['extra_ms']['median']:.1f}",
            _over(each["extra_ms"]["median"], record["goal_extra_ms"], "ms"),
        )
        for name, each in record["files"].items()
    ]
    beside = record["beside_ms"]
    rows.append(
        (
            "a small file while another worker is busy, median and 95th percentile",
            f"{beside['median']:.0f} ms, {beside['p95']:.0f} ms",
            NOTHING,
        )
    )
    return rows


def _kinds(record: Record) -> list[Row]:
    rows = []
    for name, each in record["sets"].items():
        tried = each["answered"] + each["asked"] + each["not_a_picture"]
        upright = "upright" in name or "examples" in name
        failed = each["asked"] if upright else each["answered"]
        word = "asked about" if upright else "answered without a question"
        rows.append((name, str(tried), f"{failed} {word}"))
    return rows


def _stalls(record: Record) -> list[Row]:
    goal, rows = record["goal_s"], []
    alone = record["hanging"]["0"]["seconds_median"]
    for count, each in record["hanging"].items():
        files = {"0": "nothing hangs", "1": "one file hangs"}.get(count, f"{count} files hang")
        seconds = [each[name] for name in ("seconds_median", "seconds_p95", "seconds_most")]
        said = ", ".join(f"{value:.2f} s" for value in seconds)
        rows.append(
            (
                f"an answer while {files}: median, 95th percentile, slowest",
                f"{each['answers']} answers: {said}; {seconds[0] / alone:.2f} times",
                _over(seconds[2], goal, "s") if count == "1" else NOTHING,
            )
        )
    wrong = sum(each["wrong"] for each in record["hanging"].values())
    answers = sum(each["answers"] for each in record["hanging"].values())
    refused = sum(each["hostile_refused"] for each in record["hanging"].values())
    rows.append(("answers that are not those of the engine alone", str(answers), str(wrong)))
    rows.append(("files that hung, refused by a sentence", str(refused), NOTHING))
    load = f"{record['load_median']:.1f}, {record['load_highest']:.1f}"
    rows.append(("processes that wanted a core meanwhile, median and most", load, NOTHING))
    return rows


def _screens(record: Record) -> list[Row]:
    rows = []
    for name, each in record["ways"].items():
        images = each["images"]
        rows.append(
            (
                f"{name}: the diagnosis is that of the bare image",
                f"{images} screens",
                f"{images - each['same_diagnosis']} differ",
            )
        )
        if each["boxes"]:
            rows.append(
                (
                    f"{name}: the box is that of the bare image",
                    f"{each['boxes']} boxes, mean IoU {each['box_iou_mean']:.3f}",
                    f"{each['boxes'] - each['box_iou_at_least_0.9']} below IoU 0.9",
                )
            )
    for name, each in record.get("text", {}).items():
        where = "simulated images" if name == "simulated" else "machine screens"
        missed = f"{each['drawn'] - each['found']} not found"
        rows.append((f"burned-in text on {where} is found", f"{each['drawn']} lines", missed))
    return rows


def _kills(record: Record) -> list[Row]:
    faults = record["faults"]
    return [
        (
            f"{name}: killed by SIGKILL, run again, compared with a run that nobody killed",
            f"{count} kills",
            str(sum(name in fault for fault in faults)),
        )
        for name, count in record["by_work"].items()
    ]


def _determinism(record: Record) -> list[Row]:
    return [
        (
            "the same file, one result less its timings",
            f"{record['answers']} answers of {record['processes']} processes at once",
            f"{record['different']} differ",
        )
    ]


def _soak(record: Record) -> list[Row]:
    pause = f"{record['pause_s']:g} s between two files of one on average"
    crowd = f"{record['users']} visitors for {record['minutes']:g} minutes, {pause}"
    right = record["answered_right"] + record["refused_right"]
    return [
        (f"files sent by {crowd}", f"{record['sent']:,}, {right:,} as expected", NOTHING),
        ("answers lost", "", str(record["lost"])),
        ("answers of another visitor's file", "", str(record["swapped"])),
        ("answers that differ from those given alone", "", str(record["differing"])),
        ("visitors turned away with a sentence", "", str(record["turned_away"])),
        ("files left in the upload folder", "", str(record["uploads_left"])),
        (
            "memory of the server and its decoders, settled and at the end",
            f"{record['memory_mb_settled']:.0f} MB, {record['memory_mb_at_end']:.0f} MB",
            f"{100 * record['memory_growth']:+.1f} %",
        ),
        (
            "time of an answer, median and 95th percentile",
            f"{record['seconds_median']:.1f} s, {record['seconds_p95']:.1f} s",
            NOTHING,
        ),
    ]


def _over(value: float, goal: float, unit: str) -> str:
    """Say whether a goal was met."""
    return f"goal {goal:g} {unit} {'met' if value <= goal else 'missed'}"


CHAPTERS = {
    "fuzz": Chapter(
        "Damaged and hostile files",
        "make fuzz SECONDS=900",
        "Small files of every format, damaged at random, with bombs and polyglots among them.",
        _fuzz,
    ),
    "dicom": Chapter(
        "DICOM",
        "python -m benchmarks.dicom.run",
        "Every file of pydicom and pydicom-data, and files of real encoders, beside DCMTK; file by "
        "file in [dicom_conformance.md](dicom_conformance.md).",
        _dicom,
    ),
    "decoder": Chapter(
        "The decoder process",
        "python -m benchmarks.speed.decoding",
        "What a process of its own costs a file, by turns with decoding in the server.",
        _decoder,
    ),
    "stalls": Chapter(
        "A file that hangs",
        "python -m benchmarks.reliability.stalls --turns 2",
        "One visitor sends files that hang a decoder until its 10 seconds are over, the next as "
        "soon as one is refused; another visitor asks ordinary cases. By turns in one run, beside "
        "the same without such files. No file is known that hangs a decoder: the server's decoders "
        "are told to.",
        _stalls,
    ),
    "screens": Chapter(
        "Machine screens",
        "python -m benchmarks.reliability.screens.run --data DIR",
        "Real ultrasound images put into synthetic machine screens, beside the bare image. "
        "`read whole` takes no region: it is what the others are measured against.",
        _screens,
    ),
    "kinds": Chapter(
        "Pictures of another kind",
        "python -m benchmarks.reliability.kinds --data DIR",
        "What is no upright ultrasound image must be asked about, what is must not. Among the "
        "pictures of pydicom are ultrasound images of a gland and of a heart, which the domain "
        "check alone may ask about.",
        _kinds,
    ),
    "kills": Chapter(
        "Killed in the middle",
        "python -m benchmarks.reliability.kills",
        "SIGKILL at a drawn moment of the work, then the same command again.",
        _kills,
    ),
    "determinism": Chapter(
        "One answer",
        "python -m benchmarks.reliability.determinism",
        "The same bytes in several processes at once; what number types change stands in "
        "[number_types.md](number_types.md).",
        _determinism,
    ),
    "soak": Chapter(
        "Many visitors",
        "python -m benchmarks.reliability.soak --users 50 --minutes 30 --pause 60 --keep",
        "Half call the API, half send the page's events; every answer is compared with the one "
        "that the engine gave alone.",
        _soak,
    ),
}
