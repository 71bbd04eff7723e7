"""Describe the simulator from its own tables: the sheet of cases and the tables in the docs.

Run: python -m benchmarks.experiments.simulator.describe
Writes docs/images/simulated_sheet.png and replaces what stands between the markers in
docs/simulator.md.
"""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont

from benchmarks import ROOT
from benchmarks.blocks import replace_block
from jomed_app.evaluation.report.pages.markdown import fill, number, table
from jomed_app.simulator import simulate_case
from jomed_app.simulator.descriptors import (
    KINDS,
    VOCABULARY,
    descriptor_bayes_accuracy,
    label_frequencies,
)

SHEET_ROWS = ("normal", "cyst", "fibroadenoma", "carcinoma")
SHEET_COLUMNS = 6
CELL = (232, 214)


def main() -> int:
    """Write the sheet and the tables."""
    images = ROOT / "docs/images"
    images.mkdir(parents=True, exist_ok=True)
    sheet().quantize(64).save(images / "simulated_sheet.png", optimize=True)
    replace_block(ROOT / "docs/simulator.md", "tables", tables())
    return 0


def sheet() -> Image.Image:
    """Draw the first cases of each kind with label, margin and echo below."""
    width, height = CELL
    canvas = Image.new("L", (SHEET_COLUMNS * width, len(SHEET_ROWS) * height), 255)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=11)
    for row, kind in enumerate(SHEET_ROWS):
        for column in range(SHEET_COLUMNS):
            case = simulate_case(700 + SHEET_COLUMNS * row + column, kind)
            image = Image.fromarray(case.image)
            image.thumbnail((width - 6, height - 34))
            x, y = column * width + 3, row * height + 3
            canvas.paste(image, (x, y))
            found = case.record.descriptors
            words = f"{found['shape']}, {found['margin']}" if found else "no mass"
            more = f"{found['echo']}, posterior {found['posterior']}" if found else ""
            draw.text((x, y + height - 36), f"{case.record.label}: {words}", fill=0, font=font)
            draw.text((x, y + height - 23), more, fill=70, font=font)
    return canvas


def tables() -> str:
    """Word the distributions, the frequencies per label and the Bayes accuracy as Markdown."""
    forms = [(name, form) for name, kind in KINDS.items() for form in kind.variants]
    frequencies = label_frequencies()
    return fill(
        Path(__file__).with_name("tables.md.jinja"),
        kinds=_kinds_table(),
        values=table(
            [
                "descriptor",
                "value",
                *(f"{name}, {form.name} ({form.share:.2f})" for name, form in forms),
                "all benign",
                "all malignant",
            ],
            [
                [
                    descriptor,
                    value,
                    *(number(form.weights[descriptor][index], 2) for _, form in forms),
                    *(
                        number(frequencies[label][descriptor][value], 2)
                        for label in ("benign", "malignant")
                    ),
                ]
                for descriptor, values in VOCABULARY.items()
                for index, value in enumerate(values)
            ],
            words=(0, 1),
        ),
        among_masses=number(descriptor_bayes_accuracy(False)),
        among_all=number(descriptor_bayes_accuracy()),
    ).rstrip("\n")


def _kinds_table() -> Markup:
    rows = [
        [
            name,
            kind.label,
            number(kind.share, 2),
            *(
                number(value if kind.variants else None, 2)
                for value in (kind.median_width, kind.spread, kind.mean_depth)
            ),
        ]
        for name, kind in KINDS.items()
    ]
    header = ["kind", "label", "share", "width, median", "spread (log)", "centre depth"]
    return table(header, rows, words=(0, 1))


if __name__ == "__main__":
    raise SystemExit(main())
