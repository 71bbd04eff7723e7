"""Descriptions of sets: those that ship, a user's own, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from jomed_app.data.fetch.catalogue import load_set, set_names
from jomed_app.data.fetch.get import LAYOUTS
from jomed_app.data.fetch.layouts.table import TableSettings
from jomed_app.data.tasks import load_task
from jomed_app.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[3]
OWN = """
name = "mine"
title = "Mine"
task = "breast"
licence = "CC BY 4.0"
page = "https://example.org"
about = "a few"
layout = "table"
[settings]
label = "class"
[home]
kind = "hub"
repo = "me/mine"
files = ["*.parquet"]
"""


@pytest.mark.parametrize("name", set_names())
def test_what_ships_names_a_task_and_a_layout_that_are_there(name):
    described = load_set(name)
    assert described.name == name
    assert described.layout in LAYOUTS
    task = load_task(described.task)
    labels = described.settings.get("labels", ())
    assert set(labels) <= set(task.labels)


def test_the_sets_of_the_readme():
    assert {"busi", "breastmnist", "ham10000", "dermamnist", "retinamnist", "kvasir_seg", "slake",
            "vqa_rad", "path_vqa", "medpix2", "roco_v2"} == set(set_names())  # fmt: skip


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    assert load_set(str(path)).settings == {"label": "class"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("https://example.org", "http://example.org", "must begin with https"),
        ('"mine"', '"../mine"', "name: String should match"),
        ('kind = "hub"', 'kind = "ftp"', "home"),
        ("title", "titel", "title: Field required"),
        ("[home]", "[home", "valid TOML"),
    ],
)
def test_a_fault_is_said(tmp_path, old, new, words):
    path = tmp_path / "mine.toml"
    path.write_text(OWN.replace(old, new, 1))
    with pytest.raises(ConfigError, match=words):
        load_set(str(path))


def test_the_file_that_the_page_shows_is_one(tmp_path):
    page = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    described = load_set(str(path))
    assert TableSettings.model_validate(described.settings).labels == {"0": "intact", "1": "broken"}
    assert described.layout in LAYOUTS


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"must be one of \['breastmnist', 'busi'.*found 'bussi'"):
        load_set("bussi")
