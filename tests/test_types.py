"""The Result schema: what older files lack gets its default, what nobody knows is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from jomed_app.imaging import read_image
from jomed_app.types import HeatMap, Result
from tests.ui.fake_engine import FakeEngine, png_bytes


@pytest.fixture(scope="module")
def result() -> Result:
    return list(FakeEngine().run(read_image(png_bytes())))[-1].result


def test_a_result_survives_its_own_json(result):
    assert Result.model_validate_json(result.model_dump_json(by_alias=True)) == result


def test_a_result_written_before_layers_existed_is_read(result):
    values = result.model_dump(mode="json", by_alias=True)
    del values["heatmap"]
    for candidate in values["candidates"]:
        for name in ("boxes", "rows", "columns"):
            del candidate[name]
    older = Result.model_validate(values)
    assert older.heatmap is None
    assert {(each.boxes, each.rows, each.columns) for each in older.candidates} == {((), 0, 0)}
    assert older.final == result.final


@pytest.mark.parametrize("name", ["reader", "retriever", "number_type", "precision", "threads"])
def test_a_result_of_the_first_schema_does_not_say_what_ran(result, name):
    values = result.model_dump(mode="json", by_alias=True)
    assert values["versions"]["schema"] == "jomed.result/2"
    values["versions"] = {"app": "0.1.0", "bundle": "b", "index": "i", "schema": "jomed.result/1"}
    older = Result.model_validate(values)
    assert getattr(older.versions, name) is None
    assert older.versions.schema_ == "jomed.result/1"
    assert older.final == result.final


def test_a_result_of_a_later_schema_is_refused(result):
    values = result.model_dump(mode="json", by_alias=True)
    values["versions"]["schema"] = "jomed.result/3"
    with pytest.raises(ValidationError, match=r"jomed\.result/2"):
        Result.model_validate(values)


def test_a_heat_map_is_immutable_and_refuses_what_it_does_not_know():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        HeatMap(rows=1, columns=1, values=(0.5,), unit="attention")
    with pytest.raises(ValidationError, match="frozen"):
        HeatMap(rows=1, columns=1, values=(0.5,)).rows = 2
