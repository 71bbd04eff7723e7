"""The Result schema: what older files lack gets its default, what nobody knows is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from jomed_app.imaging import read_image
from jomed_app.types import HeatMap, Region, Result
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
    assert values["versions"]["schema"] == "jomed.result/4"
    values["versions"] = {"app": "0.1.0", "bundle": "b", "index": "i", "schema": "jomed.result/1"}
    older = Result.model_validate(values)
    assert getattr(older.versions, name) is None
    assert older.versions.schema_ == "jomed.result/1"
    assert older.final == result.final


def test_a_result_of_the_second_schema_knows_no_question(result):
    values = result.model_dump(mode="json", by_alias=True)
    values["versions"]["schema"] = "jomed.result/2"
    del values["final"]["asks"]
    del values["input"]["overruled"], values["input"]["inverted_as_asked"]
    del values["input"]["region_as_asked"]
    older = Result.model_validate(values)
    assert (older.input.overruled, older.final.asks) == ((), ())
    assert not older.input.inverted_as_asked


def test_the_files_hash_of_an_older_result_is_dropped(result):
    values = result.model_dump(mode="json", by_alias=True)
    assert "sha256" not in values["input"]
    values["versions"]["schema"] = "jomed.result/2"
    values["input"]["sha256"] = "ab" * 32
    assert Result.model_validate(values).input == result.input


def test_a_result_of_the_third_schema_tells_similarity_by_the_search_alone(result):
    values = result.model_dump(mode="json", by_alias=True)
    assert values["candidates"][0]["image_percentile"] == 99.4
    values["versions"]["schema"] = "jomed.result/3"
    del values["has_similar"]
    for candidate in values["candidates"]:
        del candidate["image_percentile"]
    older = Result.model_validate(values)
    assert (older.has_similar, older.candidates[0].image_percentile) == (None, None)
    assert older.final == result.final


def test_a_result_of_the_second_schema_does_not_say_what_of_the_picture_was_read(result):
    values = result.model_dump(mode="json", by_alias=True)
    assert values["input"]["region"]["source"] == "whole"
    values["versions"]["schema"] = "jomed.result/2"
    del values["input"]["region"]
    older = Result.model_validate(values)
    assert (older.input.region, older.versions.schema_) == (None, "jomed.result/2")


@pytest.mark.parametrize("corners", [(5, 0, 5, 9), (0, 9, 5, 8)])
def test_an_empty_region_is_refused(corners):
    x0, y0, x1, y1 = corners
    with pytest.raises(ValidationError, match="a region must have x0 < x1"):
        Region(x0=x0, y0=y0, x1=x1, y1=y1, source="tag")


def test_a_result_of_a_later_schema_is_refused(result):
    values = result.model_dump(mode="json", by_alias=True)
    values["versions"]["schema"] = "jomed.result/5"
    with pytest.raises(ValidationError, match=r"jomed\.result/4"):
        Result.model_validate(values)


def test_a_heat_map_is_immutable_and_refuses_what_it_does_not_know():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        HeatMap(rows=1, columns=1, values=(0.5,), unit="attention")
    with pytest.raises(ValidationError, match="frozen"):
        HeatMap(rows=1, columns=1, values=(0.5,)).rows = 2
