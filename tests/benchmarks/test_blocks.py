from __future__ import annotations

import pytest

from benchmarks.blocks import replace_block


def test_what_stands_between_the_marks_is_replaced_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x: begin -->\nold\n<!-- x: end -->\nafter\n")
    for _ in range(2):
        replace_block(page, "x", "new")
        assert page.read_text() == "before\n<!-- x: begin -->\nnew\n<!-- x: end -->\nafter\n"


@pytest.mark.parametrize("text", ["", "<!-- x: begin -->", 2 * "<!-- x: begin --><!-- x: end -->"])
def test_marks_must_stand_there_once(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match=r"'page\.md' must hold the marks .* once each"):
        replace_block(page, "x", "new")
    assert page.read_text() == text
