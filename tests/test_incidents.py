from __future__ import annotations

import logging
import re

import pytest

from jomed_app.errors import PACKAGE_LOGGER, record_incident, start_log


@pytest.fixture
def log_file(tmp_path, monkeypatch):
    monkeypatch.setenv("JOMED_LOG_DIR", str(tmp_path))
    package = logging.getLogger(PACKAGE_LOGGER)
    before, level = list(package.handlers), package.level
    yield start_log()
    for handler in set(package.handlers) - set(before):
        package.removeHandler(handler)
        handler.close()
    package.setLevel(level)


def _raised() -> Exception:
    try:
        try:
            raise KeyError("DOE^JOHN")
        except KeyError as cause:
            raise ValueError("patient DOE^JOHN born 19500101") from cause
    except ValueError as error:
        return error


def test_the_log_names_types_and_places_but_never_the_message(log_file):
    incident = record_incident(_raised())
    text = log_file.read_text(encoding="utf-8")
    assert re.fullmatch(r"[0-9a-f]{8}", incident)
    assert incident in text
    assert "builtins.ValueError" in text
    assert "builtins.KeyError" in text
    assert f"{__file__}:" in text
    assert "in _raised" in text
    assert "DOE" not in text
    assert "1950" not in text


def test_two_incidents_have_two_ids(log_file):
    assert record_incident(_raised()) != record_incident(_raised())


def test_starting_twice_writes_once(log_file):
    assert start_log() == log_file
    record_incident(_raised())
    assert log_file.read_text(encoding="utf-8").count("incident ") == 1


def test_the_state_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("JOMED_LOG_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    from jomed_app.errors import log_folder

    assert log_folder() == tmp_path / "state" / "jomed"


def test_a_folder_that_cannot_be_made_means_no_log(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("JOMED_LOG_DIR", str(tmp_path / "file" / "below"))
    package = logging.getLogger(PACKAGE_LOGGER)
    before = list(package.handlers)
    assert start_log() is None
    for handler in set(package.handlers) - set(before):
        package.removeHandler(handler)
