from __future__ import annotations

import csv
import io

import pyarrow.parquet as pq
import pytest

from jomed_app.batch.folder import BatchFolder, Failure, Seen
from jomed_app.batch.settings import BatchRun, BatchSettings
from jomed_app.errors import RecordError
from jomed_app.types import Versions
from tests.export.finished_cases import finished

KEYS = ("a" * 64, "b" * 64, "c" * 64)
VERSIONS = Versions(app="1", bundle="b", index="i", threads=2)


@pytest.fixture
def folder(tmp_path) -> BatchFolder:
    return BatchFolder(tmp_path / "out")


def test_a_folder_goes_on_with_the_same_run_alone(folder):
    run = BatchRun(settings=BatchSettings(), versions=VERSIONS)
    folder.begin(run)
    folder.begin(run)
    folder.begin(run.model_copy(update={"versions": VERSIONS.model_copy(update={"threads": 1})}))
    other = BatchRun(
        settings=BatchSettings(region="whole"), versions=VERSIONS.model_copy(update={"bundle": "c"})
    )
    with pytest.raises(RecordError, match="found another region, bundle; choose another folder"):
        folder.begin(other)
    (folder.place / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match=r"found a run\.json that cannot be read"):
        folder.begin(run)


def test_tables_hold_a_typed_row_for_each_content(folder):
    kept, _ = finished()
    folder.keep(KEYS[1], kept)
    folder.keep_failure(KEYS[0], Failure(error="=an image is required", is_final=True))
    counted = folder.write_tables({KEYS[1]: Seen(None, 2), KEYS[0]: Seen(None, 1)}, [(None, "x")])
    assert counted == (2, 3)
    table = pq.read_table(folder.place / "results.parquet")
    rows = table.to_pylist()
    assert [row["sha256"] for row in rows] == [KEYS[0], KEYS[1], None]
    assert [row["copies"] for row in rows] == [1, 2, None]
    assert rows[1]["probability"] == kept.result.final.probabilities["malignant"]
    assert rows[0]["error"] == "=an image is required"
    assert "name" not in table.column_names
    types = {name: str(table.schema.field(name).type) for name in table.column_names}
    expected = {
        "sha256": "string",
        "num_boxes": "int64",
        "p_benign": "double",
        "has_similar": "bool",
    }
    assert {name: types[name] for name in expected} == expected
    text = (folder.place / "results.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert list(lines[0]) == table.column_names
    assert lines[0]["error"] == "'=an image is required"


def test_names_are_in_the_tables_where_they_are_asked_for(folder):
    kept, _ = finished()
    folder.keep(KEYS[0], kept)
    folder.keep(KEYS[1], kept)
    folder.write_tables({KEYS[0]: Seen("ward/7.png", 1)}, [])
    rows = pq.read_table(folder.place / "results.parquet").to_pylist()
    assert [row["name"] for row in rows] == ["ward/7.png", None]


def test_a_case_that_was_cut_off_does_not_count(folder):
    kept, _ = finished()
    folder.keep(KEYS[0], kept)
    folder.case_path(KEYS[0]).write_text(kept.document[:500], encoding="utf-8")
    assert folder.saved(KEYS[0]) is None
    folder.write_tables({}, [])
    rows = pq.read_table(folder.place / "results.parquet").to_pylist()
    assert rows[0]["error"] == "the file of this case cannot be read"


def test_a_case_takes_the_place_of_its_failure(folder):
    kept, _ = finished()
    folder.keep_failure(KEYS[0], Failure(error="it took too long", is_final=False))
    assert folder.failure(KEYS[0]).error == "it took too long"
    folder.keep(KEYS[0], kept)
    assert folder.failure(KEYS[0]) is None
    assert folder.saved(KEYS[0]) == kept
