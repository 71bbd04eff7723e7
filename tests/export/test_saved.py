from __future__ import annotations

import json

import numpy as np
import pytest

from jomed_app.errors import RecordError
from jomed_app.export import saved as module
from jomed_app.export.saved import SavedResult, pixels_sha256, read_saved
from jomed_app.types import Timings
from tests.export.finished_cases import HASHES, finished


@pytest.fixture(scope="module")
def case():
    return finished()


def test_a_saved_result_comes_back_as_it_was(case, tmp_path):
    kept, image = case
    path = tmp_path / "case.json"
    path.write_text(kept.document, encoding="utf-8")
    assert read_saved(path) == kept
    assert (kept.bundle_sha256, kept.index_sha256) == (HASHES["bundle"], HASHES["index"])
    assert (kept.query.rows, kept.query.columns) == image.model_input.shape[:2]


def test_the_hash_is_of_pixels_and_their_size():
    flat = np.zeros((2, 6, 3), np.uint8)
    assert pixels_sha256(flat) == pixels_sha256(flat.copy(order="F"))
    assert pixels_sha256(flat) != pixels_sha256(flat.reshape(3, 4, 3))
    assert pixels_sha256(flat) != pixels_sha256(flat + 1)


def test_the_hash_of_the_file_is_nowhere(case):
    kept, image = case
    assert image.sha256 not in kept.document
    assert kept.query.pixels_sha256 != image.sha256


def test_time_does_not_count_and_the_answer_does(case):
    kept, _ = case
    slower = kept.result.model_copy(update={"timings_ms": Timings(total=9999)})
    other = kept.result.model_copy(update={"report": "Another."})
    versions = kept.result.versions.model_copy(update={"threads": 7})
    wider = kept.result.model_copy(update={"versions": versions})
    for same in (slower, wider):
        assert kept.model_copy(update={"result": same}).content_sha256 == kept.content_sha256
    assert kept.model_copy(update={"result": other}).content_sha256 != kept.content_sha256


def test_what_is_no_saved_result_is_refused(case, tmp_path, monkeypatch):
    kept, _ = case
    path = tmp_path / "DOE_JOHN.json"
    plain = kept.result.model_dump_json(by_alias=True)
    unknown = json.dumps(json.loads(kept.document) | {"schema": "jomed.saved/9"})
    for text, found in (
        ("no JSON", "must be JSON"),
        ("[]", "a fault at its top"),
        (plain, "found a plain result without it"),
        (unknown, "found a fault at schema"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(RecordError, match=found) as refused:
            read_saved(path)
        assert "DOE" not in str(refused.value)
    with pytest.raises(RecordError, match="found FileNotFoundError"):
        read_saved(tmp_path / "absent.json")
    monkeypatch.setattr(module, "LARGEST_BYTES", 10)
    with pytest.raises(RecordError, match="found a larger file"):
        read_saved(path)


def test_the_schema_is_named_in_the_document(case):
    assert json.loads(case[0].document)["schema"] == "jomed.saved/1"
    assert SavedResult.model_validate_json(case[0].document) == case[0]
