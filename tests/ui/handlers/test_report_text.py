"""The report text that the page asks for."""

from __future__ import annotations

from jomed_app.ui import text
from jomed_app.ui.handlers.removal import move_weight
from jomed_app.ui.handlers.report_text import report_server
from tests.ui.fake_engine import FakeEngine
from tests.ui.handlers.running import run_to_end


def test_choices_are_worded_and_a_moved_answer_suggests_nothing(store):
    engine = FakeEngine()
    run_to_end(engine, store)
    case, ask = store.get("a"), report_server(engine, store.by_token)
    said = ask({"case": case.token, "side": "Left", "hour": "7", "category": None})["lines"]
    assert "Location: left breast, 7 o'clock." in said
    assert any(line.startswith("BI-RADS category: 4, suggested") for line in said)
    move_weight(engine, store, "a", "case-1", 2)
    assert "BI-RADS category: not assessed." in ask({"case": case.token})["lines"]


def test_without_a_case_or_before_its_answer_there_is_none(store):
    engine = FakeEngine()
    ask = report_server(engine, store.by_token)
    assert ask({}) == ask({"case": "nobody"}) == {"error": text.NO_CASE}
    run_to_end(engine, store)
    store.get("a").results.clear()
    assert ask({"case": store.get("a").token}) == {"error": text.NO_CASE}
