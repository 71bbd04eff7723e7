"""The same part asked for on the page, on the command line and by a call is one answer."""

from __future__ import annotations

import json

import pytest

from jomed_app.cli import main as cli
from jomed_app.ui.handlers.case import choose_region, open_case, run_case
from jomed_app.ui.panels.viewer.region import region_wish
from jomed_app.ui.session import CaseStore
from tests.ui.fake_engine import FakeEngine, machine_screen_png
from tests.ui.test_layout import call, upload

pytestmark = pytest.mark.usefixtures("log_elsewhere")
DRAWN = [200, 160, 620, 520]


def on_the_page(data: bytes, sent: object) -> dict:
    engine, store = FakeEngine(), CaseStore()
    open_case(engine, store, "a", data)
    choose_region(engine, store, "a", region_wish(sent))
    list(run_case(engine, store, "a"))
    return store.get("a").result.model_dump(mode="json", by_alias=True)


@pytest.mark.parametrize(
    ("sent", "words"), [("found", "found"), ("whole", "whole"), (DRAWN, "200,160,620,520")]
)
def test_a_part_is_one_answer_in_three_ways(sent, words, site, stand_in, tmp_path, capsys):
    data = machine_screen_png()
    page = on_the_page(data, sent)
    name, (called,) = call(site, upload(site, "screen.png", data), False, False, words)
    assert name == "complete"

    (tmp_path / "screen.png").write_bytes(data)
    stand_in("jomed_app.inference.load", load_engine=lambda *_, **__: FakeEngine())
    asked = ["diagnose", str(tmp_path / "screen.png"), "--json", "--joint", "--region", words]
    assert cli.main(asked) == 0
    assert page == called == json.loads(capsys.readouterr().out)
    part = page["input"]["region"]
    assert page["input"]["region_as_asked"] is (words != "found")
    source = {"found": "detected", "whole": "whole"}.get(words, "user")
    assert part["source"] == source
    if source == "user":
        assert [part[edge] for edge in ("x0", "y0", "x1", "y1")] == DRAWN


def test_a_call_that_leaves_the_part_out_reads_the_region_found(site):
    data = machine_screen_png()
    for wishes in ((), (False,), (False, False), (False, False, None)):
        name, (answer,) = call(site, upload(site, "screen.png", data), *wishes)
        assert (name, answer["input"]["region"]["source"]) == ("complete", "detected"), wishes


@pytest.mark.parametrize("words", ["left half", [1, 2, 3], "1,2,3", "0,0,9999,50", 7])
def test_a_part_that_cannot_be_read_is_one_sentence(words, site):
    path = upload(site, "screen.png", machine_screen_png())
    name, message = call(site, path, False, False, words)
    assert name == "error"
    assert "A region must" in json.dumps(message)
    assert call(site, path)[0] == "error", "the file is dropped with the call"
