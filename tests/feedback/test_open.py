"""What the operator's settings make of it."""

from __future__ import annotations

import pytest

from jomed_app.config.app import FeedbackConfig
from jomed_app.errors import ConfigError
from jomed_app.feedback.open import open_feedback


def test_nothing_is_kept_unless_a_file_is_named(tmp_path):
    assert open_feedback(FeedbackConfig()) is None


def test_the_key_lies_beside_the_file_or_where_it_is_told(tmp_path):
    file = tmp_path / "f.sqlite"
    store = open_feedback(FeedbackConfig(file=str(file)))
    assert bytes.fromhex((tmp_path / "f.sqlite.key").read_text().strip()) == store.key
    assert (tmp_path / "f.sqlite.key").stat().st_mode & 0o077 == 0
    store.close()
    apart = FeedbackConfig(file=str(file), key_file=str(tmp_path / "apart" / "key"))
    other = open_feedback(apart)
    assert other.key != store.key
    other.close()
    (tmp_path / "apart" / "key").write_text("no key")
    with pytest.raises(ConfigError, match="'key' must hold a key"):
        open_feedback(apart)
