"""The list of shipped examples."""

from __future__ import annotations

import json

import pytest

from jomed_app.errors import RecordError
from jomed_app.ui.examples import EXAMPLES_FILE, first_of, load_examples


def test_no_list_means_no_examples(tmp_path):
    assert load_examples(tmp_path) == ()
    assert load_examples(tmp_path / "absent") == ()


def test_examples_stay_inside_their_folder(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    entries = [{"file": "../somewhere/a.png", "title": "Oval mass"}]
    (tmp_path / EXAMPLES_FILE).write_text(json.dumps(entries))
    (example,) = load_examples(tmp_path)
    assert example.path == tmp_path / "a.png"
    assert example.title == "Oval mass"


@pytest.mark.parametrize("content", ["{", "3", '["a"]', '[{"file": "a.png"}]'])
def test_a_malformed_list_is_refused(tmp_path, content):
    (tmp_path / EXAMPLES_FILE).write_text(content)
    with pytest.raises(RecordError, match="must be a list of objects"):
        load_examples(tmp_path)


def test_a_missing_picture_is_named(tmp_path):
    (tmp_path / EXAMPLES_FILE).write_text('[{"file": "a.png", "title": "x"}]')
    with pytest.raises(RecordError, match=r"names 'a\.png', which is not in its folder"):
        load_examples(tmp_path)


def test_one_example_may_open_the_page(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    entries = [{"file": "a.png", "title": "x"}]
    (tmp_path / EXAMPLES_FILE).write_text(json.dumps(entries))
    assert first_of(load_examples(tmp_path)) is None
    entries.append({"file": "a.png", "title": "y", "known": "benign", "opens": True})
    (tmp_path / EXAMPLES_FILE).write_text(json.dumps(entries))
    first = first_of(load_examples(tmp_path))
    assert (first.title, first.known) == ("y", "benign")
