from __future__ import annotations

import base64
import json

import pytest

from jomed_app.export.kinds import KINDS, export
from jomed_app.export.saved import SavedResult, saved
from jomed_app.imaging import read_image
from jomed_app.ui import text
from jomed_app.ui.handlers.save import save_server
from jomed_app.ui.panels.diagnosis.save import SHOWN
from jomed_app.ui.session import Case
from tests.export.finished_cases import result_of
from tests.ui.fake_engine import FakeEngine, png_bytes


@pytest.fixture
def case() -> Case:
    image = read_image(png_bytes(3))
    made = Case(image=image)
    made.results["joint"] = result_of(image)
    return made


def save(case: Case, engine: FakeEngine | None = None, **request: object) -> dict[str, str]:
    find = {case.token: case}.get
    return save_server(engine or FakeEngine(), find)({"case": case.token, "kind": "json"} | request)


@pytest.mark.parametrize("kind", SHOWN)
def test_the_file_is_the_export_of_what_is_shown(case, kind):
    engine = FakeEngine()
    file = save(case, engine, kind=kind)
    kept = saved(case.result, case.image, engine.info.hashes)
    assert base64.b64decode(file["data"]) == export(kind, kept, case.image)
    assert file["name"] == f"jomed-case{KINDS[kind].suffix}"
    assert file["type"] == KINDS[kind].media_type


def test_what_was_taken_out_is_not_in_the_file(case):
    engine = FakeEngine()
    case.removed = frozenset({"case-1"})
    kept = SavedResult.model_validate(json.loads(base64.b64decode(save(case, engine)["data"])))
    assert kept.result == engine.recompute(case.result, case.removed)
    assert "case-1" not in {each.candidate_id for each in kept.result.candidates}


@pytest.mark.parametrize(
    "request_", [{"kind": "exe"}, {"kind": "dicom-pdf"}, {"case": "another"}, {"case": None}]
)
def test_nothing_is_saved_of_what_is_not_there(case, request_):
    find = {case.token: case}.get
    asked = {"case": case.token, "kind": "json"} | request_
    assert save_server(FakeEngine(), find)(asked) == {"error": text.NOT_SAVED}


def test_nothing_is_saved_before_the_answer(case):
    case.results.clear()
    assert save(case) == {"error": text.NOT_SAVED}
    assert save_server(FakeEngine(), lambda _: None)({}) == {"error": text.NOT_SAVED}


def test_a_fault_is_an_incident(case, monkeypatch, caplog):
    engine = FakeEngine()
    case.removed = frozenset({"case-1"})
    monkeypatch.setattr(FakeEngine, "recompute", lambda *_, **__: 1 / 0)
    assert "incident" in save(case, engine)["error"]
