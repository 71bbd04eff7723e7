"""The store of uploads: a name each, taken once, in memory, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from jomed_app.ui.uploads import UploadsFullError, UploadStore
from tests.ui.test_session import Clock


def waiting(store: UploadStore, data: bytes) -> str:
    store.reserve(len(data))
    return store.put(data)


@pytest.fixture
def store(tmp_path) -> UploadStore:
    return UploadStore(tmp_path, max_bytes=10, lifetime_s=5, clock=Clock())


def test_one_content_sent_twice_has_two_names_and_is_taken_twice(store):
    first, second = waiting(store, b"same"), waiting(store, b"same")
    assert first != second
    assert [store.take(path) for path in (first, second, first)] == [b"same", b"same", None]


def test_who_sent_a_file_is_known_until_it_is_taken(store):
    store.reserve(1, "a")
    path = store.put(b"x", "a")
    assert (store.sender_of(path), store.sender_of("other")) == ("a", "")
    store.take(path)
    assert store.sender_of(path) == ""


def test_a_name_lies_in_the_folder_and_tells_nothing(store, tmp_path):
    path = Path(waiting(store, b"x"))
    assert path.parent == tmp_path
    assert len(path.name) == 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["", "/etc/passwd", "http://example.org/x", "x"])
def test_what_was_not_given_out_is_not_taken(store, path):
    waiting(store, b"x")
    assert store.take(path) is None
    assert len(store) == 1


def test_room_is_given_back_when_a_file_is_taken_or_its_time_is_over(store):
    path = waiting(store, b"0123456789")
    with pytest.raises(UploadsFullError):
        store.reserve(1)
    assert store.take(path) == b"0123456789"
    gone = waiting(store, b"0123456789")
    store._clock.now = 6
    store.reserve(10)
    assert store.take(gone) is None
    store.release(10)
    waiting(store, b"0123456789")


def test_one_visitor_has_a_share_of_the_room(tmp_path):
    store = UploadStore(tmp_path, max_bytes=10, max_visitor_bytes=6, clock=Clock())
    store.reserve(6, "a")
    path = store.put(b"123456", "a")
    with pytest.raises(UploadsFullError):
        store.reserve(1, "a")
    store.reserve(4, "b")
    with pytest.raises(UploadsFullError):  # within the share of one, over that of all
        store.reserve(1, "b")
    assert store.take(path) == b"123456"
    store.reserve(6, "a")
    store.release(6, "a")
    store.release(4, "b")
    assert store._held_bytes == {}  # nobody is remembered who holds nothing
