"""Collection: counts, map, duplicates and commands are those of the index that is searched."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from jomed_app.evaluation.collection.map import CollectionMap
from jomed_app.ui.panels.pages import collection as module
from jomed_app.ui.panels.pages.beside import collections_beside
from jomed_app.ui.panels.pages.collection import CollectionPage
from jomed_app.ui.panels.pages.map import SHAPES, Map
from jomed_app.ui.templates import render
from tests.ui.fake_engine import FakeInfo, FakeTask
from tests.ui.fake_shelf import INDEX, shipped_shelf
from tests.ui.hostile import assert_shown_as_text


@pytest.fixture(scope="module")
def page():
    return CollectionPage.of(shipped_shelf(FakeInfo()))


def test_counts_and_map_are_those_of_the_index(page):
    html = render(page)
    manifest = page.manifest
    assert "It is simulated." in html
    assert page.known == {"by construction": manifest.count}
    assert page.licences == {"CC0-1.0": manifest.count}
    assert [name for name, _, _ in page.mix] == ["normal", "benign", "malignant"]
    for layer in page.map.layers:
        assert len(layer.places) == manifest.labels[layer.label]
    drawn = re.findall(r'transform="translate\(([\d.]+) ([\d.]+)\)', html)
    assert len(drawn) == manifest.count
    assert all(0 <= float(each) <= page.map.size for pair in drawn for each in pair)
    assert page.nearest is not None
    assert 0 < page.nearest.same < page.nearest.of == manifest.count
    assert f"in {page.nearest.same} of {page.nearest.of} cases" in html
    assert "python -m jomed_app index add index/simulated --corpus out/own" in html
    assert "On its own cases nothing: figures on this page" in html


def test_a_large_collection_names_the_command_instead(page, monkeypatch):
    monkeypatch.setattr(module, "MOST_COMPARED", 100)
    large = CollectionPage.of(page.shelf)
    assert large.groups is None
    assert large.nearest is None
    assert "Not looked for here in more than 100 cases" in render(large)


def test_a_label_without_cases_is_named(page):
    task = FakeTask(labels=("normal", "benign", "malignant", "phyllodes"))
    shelf = replace(page.shelf, info=replace(FakeInfo(), task=task))
    assert "No case of: phyllodes." in render(replace(page, shelf=shelf))


def test_collections_beside_are_listed_with_the_command_that_starts_with_them(page, tmp_path):
    present, other = tmp_path / "index" / "simulated", tmp_path / "out" / "index" / "busi"
    for folder in (present, other, tmp_path / "index" / "damaged"):
        shutil.copytree(INDEX, folder, ignore=shutil.ignore_patterns("thumbs", "*.faiss"))
    (tmp_path / "index" / "damaged" / "manifest.json").write_text("{}")
    (found,) = collections_beside(tmp_path, present, page.manifest.encoder_fingerprint)
    assert found.folder == "out/index/busi"
    assert found.fits
    html = render(replace(page, beside=(found,)))
    assert "python -m jomed_app serve --index out/index/busi" in html
    (other_encoder,) = collections_beside(tmp_path, present, "0" * 16)
    assert "built by another encoder" in render(replace(page, beside=(other_encoder,)))
    assert "None lies beside it." in render(replace(page, beside=()))


def test_more_labels_than_shapes_share_the_last_one():
    labels = [f"l{number}" for number in range(len(SHAPES) + 2)]
    rows = np.arange(len(labels))
    drawn = CollectionMap(np.full((len(labels), 2), 0.5), rows, (0.6, 0.3))
    marks = [layer.mark for layer in Map.of(drawn, labels, ()).layers]
    assert marks == [1, 2, 3, 4, 5, 5, 5]


def test_what_records_say_is_shown_as_text(page):
    assert_shown_as_text(lambda words: replace(page, known={words: 3}, licences={words: 3}))
