from __future__ import annotations

import logging
import os
import warnings

import pytest

from jomed_app.cli.startup import CHATTY_LOGGERS, OFFLINE, prepare_process


@pytest.fixture(autouse=True)
def _put_back(monkeypatch):
    levels = {name: logging.getLogger(name).level for name in CHATTY_LOGGERS}
    with monkeypatch.context() as patch, warnings.catch_warnings():
        patch.setattr(os, "environ", os.environ.copy())
        yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_process_starts_offline_and_quiet(monkeypatch):
    for name in OFFLINE:
        os.environ.pop(name, None)
    monkeypatch.setattr("sys.warnoptions", [])
    prepare_process()
    assert {name: os.environ[name] for name in OFFLINE} == OFFLINE
    assert not logging.getLogger("transformers").isEnabledFor(logging.WARNING)
    with warnings.catch_warnings(record=True) as seen:
        warnings.warn("noise", UserWarning, stacklevel=1)
    assert seen == []


def test_what_a_user_set_wins(monkeypatch):
    os.environ["HF_HUB_OFFLINE"] = "0"
    monkeypatch.setattr("sys.warnoptions", ["error"])
    before = list(warnings.filters)
    prepare_process()
    assert os.environ["HF_HUB_OFFLINE"] == "0"
    assert warnings.filters == before
