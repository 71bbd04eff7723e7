"""The index of all results, and the table of the README."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.claims import beside, boxes, diagnosis
from benchmarks.claims.rows import Row
from benchmarks.kept import FOLDER, KeptReports
from jomed_app.evaluation.report.pages.markdown import NOTHING, fill, table

MOST_HEADLINES = 8
HEADER = ("measured", "figure", "95 % interval", "n", "baseline, same run", "its figure")


@dataclass(frozen=True, slots=True)
class Claim:
    """One table of the index.

    Attributes:
        title: of its section.
        text: what stands above the table.
        make: the lines, from the kept reports.
    """

    title: str
    text: str
    make: Callable[[KeptReports], list[Row]]


def _near_duplicates(kept: KeptReports) -> list[Row]:
    return [*diagnosis.near_duplicates(kept), *beside.near_duplicates(kept)]


CLAIMS = (
    Claim(
        "BREAST",
        "Breast ultrasound (BUSI): normal, benign, malignant. `joint` is what the app shows beside "
        "real known cases, `image_alone` what it makes of the image without any.",
        diagnosis.breast,
    ),
    Claim("RETINA", "Fundus images of 28 px, graded; one held-out split.", diagnosis.retina),
    Claim("Boxes", "One box an image; a lesion without a box counts as IoU 0.", boxes.boxes),
    Claim("Retrieval", "What candidates and the vote of known cases bring.", diagnosis.retrieval),
    Claim(
        "Near duplicates",
        "What is left without near duplicates among the known cases. The folds keep the groups of "
        "near duplicates that were known whole and look for no others.",
        _near_duplicates,
    ),
    Claim(
        "Reader",
        "Whether the reader reads what stands beside a case: its own answer, without the vote and "
        "without a second opinion on the image.",
        diagnosis.reader,
    ),
    Claim("Joint", "What teaching the search by the reader's answers brings.", diagnosis.joint),
    Claim(
        "Alignment",
        "Losses that align image and text, each for about the same time (`equal_steps`: with as "
        "many steps). Mean of recall at 1, 5 and 10, linear probe and neighbors.",
        beside.alignment,
    ),
    Claim("Rewards", "What tuning with rewards brings to a localizer.", boxes.rewards),
    Claim(
        "Open questions",
        "Mean of token recall and closed accuracy. `copied` reads nothing: it says what the best "
        "candidate answered.",
        beside.questions,
    ),
    Claim("Simulated cases", "How like real ultrasound they are.", beside.simulated),
    Claim("Speed", "One answer on two cores.", beside.speed),
    Claim("Cost", "Making a bundle on two cores, and what a shorter recipe costs.", beside.cost),
)

# A question that was asked: its folder in benchmarks/experiments, its page, the decision it led to.
QUESTIONS = (
    ("align", "align", "0004-matching-solver"),
    ("retriever_options", "joint", "0003-posterior-prior-and-temperature"),
    ("rerankers", "rerankers", "0014-two-searches"),
    ("reading_ways", "reading", "0011-neighbor-vote"),
    ("fold_assignments", "fold_assignments", "0011-neighbor-vote"),
    ("localise", "localise", "0012-localizer"),
    ("resolution", "resolution", "0012-localizer"),
    ("reward_options", "rewards", "0006-ppo-by-hand"),
    ("recipes", "recipes", "0017-three-hours-for-a-bundle"),
    ("simulator", "simulator", "0008-simulated-corpus"),
    ("number_types", "number_types", "0016-number-type"),
    ("towers", "towers", "0031-vision-towers"),
)


def index_page(kept: KeptReports, pages: Sequence[str]) -> str:
    """Word the index.

    Args:
        kept: the reports that all figures come from.
        pages: names of the pages that there are beside it.
    """
    claims = [(claim, claim.make(kept)) for claim in CLAIMS]
    asked = [
        [
            str(import_module(f"benchmarks.experiments.{folder}").__doc__),
            f"[{page}.md]({page}.md)",
            f"[ADR {decision[:4]}](../adr/{decision}.md)",
        ]
        for folder, page, decision in QUESTIONS
        if f"{page}.md" in pages
    ]
    asked_pages = {f"{page}.md" for _, page, _ in QUESTIONS}
    return fill(
        Path(__file__).with_name("index.md.jinja"),
        notes=notes_of(kept),
        claims=[
            (claim.title, claim.text, _claim_table(kept, rows)) for claim, rows in claims if rows
        ],
        pages=[page for page in pages if page not in asked_pages],
        asked=table(["question", "page", "decision"], asked, words=(0, 1, 2)) if asked else "",
    )


def notes_of(kept: KeptReports) -> list[tuple[str, str]]:
    """Return what must be known of the bundles and runs that lines were measured with."""
    notes = dict.fromkeys(
        (measured.bundle, measured.note) for measured in map(kept.measured, kept.names("*"))
    )
    return [(bundle, note) for bundle, note in notes if bundle and note]


def readme_table(kept: KeptReports) -> str:
    """The lines of the README's first screen.

    Raises:
        ValueError: if more lines are marked for it than it holds.
    """
    rows = [row for claim in CLAIMS for row in claim.make(kept) if row.is_headline]
    if len(rows) > MOST_HEADLINES:
        raise ValueError(
            f"the README's table holds {MOST_HEADLINES} lines at most, found {len(rows)}; mark "
            "fewer as headlines"
        )
    if not rows:
        return ""
    return table(
        [*HEADER, "says", "measured with"],
        [
            [
                row.what,
                row.figure,
                row.interval,
                row.count,
                row.baseline,
                row.reference,
                row.says,
                kept.measured(row.part).bundle or NOTHING,
            ]
            for row in rows
        ],
        words=(0, 4, 6, 7),
    )


def _claim_table(kept: KeptReports, rows: Sequence[Row]) -> str:
    return table(
        [*HEADER, "difference [95 %]", "says", "measured with", "from"],
        [
            [
                row.what,
                row.figure,
                row.interval,
                row.count,
                row.baseline,
                row.reference,
                row.difference,
                row.says,
                kept.measured(row.part).bundle or NOTHING,
                f"[page]({row.page}), [report]({FOLDER}/{row.report}.json)",
            ]
            for row in rows
        ],
        words=(0, 4, 7, 8, 9),
    )
