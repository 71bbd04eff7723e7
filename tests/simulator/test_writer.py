"""The corpus writer: worker invariance, resumption, refusal of foreign folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jomed_app.data.records import CaseRecord, read_records, write_records
from jomed_app.errors import ConfigError, RecordError
from jomed_app.simulator import case_seed, simulate_case, write_cases

SIZE_PX = 96


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_folder_is_the_same_for_every_number_of_workers(tmp_path: Path) -> None:
    one = write_cases(5, tmp_path / "one", seed=3, size_px=SIZE_PX, workers=1)
    two = write_cases(5, tmp_path / "two", seed=3, size_px=SIZE_PX, workers=2)
    assert one == two == read_records(tmp_path / "two")
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


def test_written_images_are_the_simulated_ones(tmp_path: Path) -> None:
    records = write_cases(3, tmp_path, seed=2, size_px=SIZE_PX, workers=1)
    for index, record in enumerate(records):
        case = simulate_case(case_seed(2, index), size_px=SIZE_PX)
        assert record == case.record
        with Image.open(tmp_path / record.image) as image:
            np.testing.assert_array_equal(np.asarray(image), case.image)


def test_an_interrupted_call_continues(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        assert total == 5
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cases(5, tmp_path / "a", size_px=SIZE_PX, workers=1, on_case=stop)
    calls: list[tuple[int, int]] = []
    write_cases(
        5, tmp_path / "a", size_px=SIZE_PX, workers=1, on_case=lambda *call: calls.append(call)
    )
    assert calls == [(3, 5), (4, 5), (5, 5)]
    write_cases(5, tmp_path / "b", size_px=SIZE_PX, workers=1)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")


def test_a_lost_image_is_made_again_and_a_corpus_can_grow(tmp_path: Path) -> None:
    first = write_cases(2, tmp_path, size_px=SIZE_PX, workers=1)
    (tmp_path / first[0].image).unlink()
    grown = write_cases(4, tmp_path, size_px=SIZE_PX, workers=1)
    assert grown[:2] == first
    assert all((tmp_path / record.image).is_file() for record in grown)


def test_seeds_share_no_case() -> None:
    assert case_seed(0, 999_999) < case_seed(1, 0)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"size_px": 80}, {"count": 1}])
def test_a_folder_of_other_cases_is_refused(tmp_path: Path, changes: dict[str, int]) -> None:
    write_cases(2, tmp_path, size_px=SIZE_PX, workers=1)
    options = {"count": 2, "seed": 0, "size_px": SIZE_PX} | changes
    with pytest.raises(RecordError, match=r"must be empty or hold cases of this seed.*sim-0"):
        write_cases(options.pop("count"), tmp_path, workers=1, **options)


def test_a_foreign_corpus_is_refused(tmp_path: Path) -> None:
    record = CaseRecord(
        case_id="c1", image="c1.png", label="benign", passage="Oval mass.", rows=10, columns=10
    )
    write_records(tmp_path, [record])
    with pytest.raises(RecordError, match="found 'c1' of another set; choose another folder"):
        write_cases(2, tmp_path, size_px=SIZE_PX, workers=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count must be 1 to 1000000, found 0"),
        ({"count": 1, "workers": 0}, "workers must be 1 or more, found 0"),
        ({"count": 1, "seed": -1}, "seed must be 0 or more, found -1"),
        ({"count": 1, "size_px": 10}, "size_px must be 64 to 2048, found 10"),
    ],
)
def test_wrong_requests_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        write_cases(options.pop("count"), tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()
