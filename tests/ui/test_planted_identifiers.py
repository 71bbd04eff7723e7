"""Planted identifiers, file names and hashes through page and API: nothing of them is left."""

from __future__ import annotations

import json

import pytest

from tests import planted
from tests.ui.fake_engine import picture
from tests.ui.page_client import PageClient, diagnose

KINDS = [planted.dicom, planted.png, planted.jpeg, planted.tiff]


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_nothing_of_a_file_is_shown_exported_logged_or_left(site, make, is_whole):
    file = make(picture(5))
    file = file if is_whole else planted.broken(file)
    here = PageClient(site)
    path = here.upload(file.name, file.data)
    shown = here.does("case_file", {"path": path}) + here.does("case_file+run")
    name, answer = diagnose(here.http, here.upload(file.name, file.data))
    assert name == ("complete" if is_whole else "error")
    assert ("Done" in shown) is is_whole
    said = [("path", path), ("page", shown), ("answer", json.dumps(answer))]
    here.does("case_purge")
    here.leave()
    texts = [(place, text.encode()) for place, text in said]
    assert planted.found_in(texts, file) == []
    assert planted.found_in(planted.left_on_disk(site.folder), file) == []
