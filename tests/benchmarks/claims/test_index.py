"""The index: every claim has lines that do not flatter, every link leads somewhere."""

from __future__ import annotations

import re

import pytest

from benchmarks import RESULTS, ROOT
from benchmarks.claims import index
from benchmarks.claims.index import CLAIMS, MOST_HEADLINES, QUESTIONS, index_page, readme_table
from benchmarks.claims.rows import Row
from benchmarks.kept import KeptReports
from tests.markdown_tables import cells

KEPT = KeptReports(RESULTS)
INDEX = (RESULTS / "README.md").read_text(encoding="utf-8")
LINES = {claim.title: claim.make(KEPT) for claim in CLAIMS}
UNFLATTERING = ("level", "behind", "worse", "equal", "missed", "not computed")


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as they are made on a hub."""
    titles = re.findall(r"(?m)^#+ (.*)$", page)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("title", LINES)
def test_every_claim_holds_a_line_that_does_not_flatter(title):
    assert any(row.says.startswith(UNFLATTERING) for row in LINES[title])


@pytest.mark.parametrize(
    ("title", "report", "what", "baseline"),
    [
        ("BREAST", "breast.report.index", "`rag`", "`image_alone`"),
        ("RETINA", "retina.report", "accuracy, five grades: `rag`", "`backbone`"),
        ("Near duplicates", "breast.report", "without near duplicates", "`rag` on all cases"),
        ("Near duplicates", "vqa.slake", "without near duplicates", "`rag` on all questions"),
        ("Retrieval", "breast.report.index", "`knn`", "`backbone`"),
        ("Retrieval", "breast.report.gap", "`useful`", "`even`"),
        ("Reader", "breast.report", "`reader`", "`no_retrieval`"),
        ("Reader", "retina.report", "`reader`", "`no_retrieval`"),
        ("Joint", "breast.report", "`joint`", "`rag`"),
        ("Joint", "breast.report", "`joint_reader`", "`reader`"),
        ("Alignment", "align", "`graph`", "`infonce`, same seeds"),
        ("Rewards", "localise", "`rewards`", "`stage 1`"),
        ("Open questions", "vqa.slake", "`rag`", "`copied`"),
        ("Open questions", "vqa.slake", "`reader`", "`no_retrieval`"),
        ("Speed", "answer", "peak memory", "goal"),
        ("Cost", "recipes", "`joint`", "run `embedded`"),
    ],
)
def test_the_comparisons_that_may_disappoint_are_there(title, report, what, baseline):
    found = [
        row
        for row in LINES[title]
        if (row.report, row.baseline) == (report, baseline) and what in row.what
    ]
    assert found


def test_a_line_names_its_cases_its_baseline_and_what_it_was_measured_with():
    for rows in LINES.values():
        for row in rows:
            assert re.search(r"\d", row.count), row
            assert row.baseline
            assert KEPT.path(row.report).is_file()
            KEPT.measured(row.part)


def test_every_line_of_a_claim_is_in_the_index():
    for title, rows in LINES.items():
        section = INDEX.split(f"\n## {title}\n")[1].split("\n## ")[0]
        header, *found = cells(section)
        assert header[:4] == ["measured", "figure", "95 % interval", "n"]
        assert [line[0] for line in found] == [row.what for row in rows]


def test_every_link_of_the_index_leads_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", INDEX)
    assert len(links) > 100
    for link in sorted(set(links)):
        page, _, anchor = link.partition("#")
        path = (RESULTS / page).resolve()
        assert path.is_file(), link
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), link


def test_every_page_is_linked_from_the_index():
    pages = {path.name for path in RESULTS.glob("*.md")} - {"README.md"}
    assert pages == {link for link in re.findall(r"\]\(([\w.]+\.md)\)", INDEX) if link in pages}


def test_every_question_has_a_folder_a_page_and_a_line_in_its_decision():
    folders = {path.parent.name for path in (ROOT / "benchmarks/experiments").glob("*/__init__.py")}
    assert {folder for folder, _, _ in QUESTIONS} == folders
    for _, page, decision in QUESTIONS:
        text = (ROOT / "docs" / "adr" / f"{decision}.md").read_text(encoding="utf-8")
        assert f"results/{page}.md" in text, decision


def test_the_readme_holds_eight_lines_at_most_and_some_that_do_not_flatter():
    header, *rows = cells(readme_table(KEPT))
    assert 1 <= len(rows) <= MOST_HEADLINES
    says = [row[header.index("says")] for row in rows]
    assert sum(each.startswith(UNFLATTERING) for each in says) >= 3
    assert all(row[header.index("n")] for row in rows)
    assert all(row[header.index("95 % interval")] != "–" for row in rows)


def test_a_ninth_headline_is_refused(monkeypatch):
    row = Row("w", "1", "–", "7 cases", "b", "1", "–", "level", "answer", "p.md", "answer", True)
    claim = index.Claim("t", "", lambda kept: [row] * 9)
    monkeypatch.setattr(index, "CLAIMS", (claim,))
    with pytest.raises(ValueError, match="holds 8 lines at most, found 9"):
        readme_table(KEPT)


def test_without_reports_the_index_holds_no_claim(tmp_path):
    text = index_page(KeptReports(tmp_path), [])
    assert "## BREAST" not in text
    assert text.startswith("# Results\n")
