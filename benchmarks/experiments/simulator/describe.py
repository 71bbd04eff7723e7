"""Describe the simulator from its own tables: the sheet of cases and the tables in the docs.

Run: python -m benchmarks.experiments.simulator.describe
Writes docs/images/simulated_sheet.png and replaces what stands between the markers in
docs/simulator.md.
"""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from benchmarks import ROOT
from jomed_app.simulator import simulate_case
from jomed_app.simulator.descriptors import (
    KINDS,
    VOCABULARY,
    descriptor_bayes_accuracy,
    label_frequencies,
)

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
SHEET_ROWS = ("normal", "cyst", "fibroadenoma", "carcinoma")
SHEET_COLUMNS = 6
CELL = (232, 214)


def main() -> int:
    """Write the sheet and the tables."""
    images = ROOT / "docs/images"
    images.mkdir(parents=True, exist_ok=True)
    sheet().quantize(64).save(images / "simulated_sheet.png", optimize=True)
    page = ROOT / "docs/simulator.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{tables()}\n{END}{after}", encoding="utf-8")
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
    lines = [
        "| kind | label | share | width, median | spread (log) | centre depth |",
        "|---|---|---|---|---|---|",
    ]
    for name, kind in KINDS.items():
        size = (
            f"{kind.median_width:.2f} | {kind.spread:.2f} | {kind.mean_depth:.2f}"
            if kind.variants
            else "– | – | –"
        )
        lines.append(f"| {name} | {kind.label} | {kind.share:.2f} | {size} |")
    forms = [(name, form) for name, kind in KINDS.items() for form in kind.variants]
    lines += [
        "",
        "Probability of each value, per form of a kind (drawn independently within a form):",
        "",
        "| descriptor | value | "
        + " | ".join(f"{n}, {f.name} ({f.share:.2f})" for n, f in forms)
        + " | all benign | all malignant |",
        "|---|---|" + "---|" * (len(forms) + 2),
    ]
    frequencies = label_frequencies()
    for descriptor, values in VOCABULARY.items():
        for index, value in enumerate(values):
            cells = [f"{form.weights[descriptor][index]:.2f}" for _, form in forms]
            cells += [
                f"{frequencies[label][descriptor][value]:.2f}" for label in ("benign", "malignant")
            ]
            lines.append(f"| {descriptor} | {value} | " + " | ".join(cells) + " |")
    lines += [
        "",
        'Best possible accuracy for "malignant or not" from the true descriptors alone (exact sum '
        f"over all combinations): **{descriptor_bayes_accuracy(False):.3f}** among masses, "
        f"**{descriptor_bayes_accuracy():.3f}** with the cases without a mass.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
