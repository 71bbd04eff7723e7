"""Downloads: resumed, compared, refused; against a server on this machine that goes wrong."""

from __future__ import annotations

import hashlib
import shutil
from types import SimpleNamespace

import pytest

from jomed_app.data.fetch.https import Downloader, Wanted
from jomed_app.errors import FetchError
from tests.data.fetch.file_server import file_server

CONTENT = bytes(range(256)) * 4000  # about 1 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with file_server() as served:
        served.files["/set.zip"] = CONTENT
        yield served


@pytest.fixture
def waited():
    return []


@pytest.fixture
def web(waited):
    with Downloader(tries=3, wait=waited.append) as found:
        yield found


def wanted(server, **stated):
    return Wanted("set.zip", f"{server.url}/set.zip", **stated)


def test_a_file_comes_whole_and_is_not_asked_for_again(server, web, tmp_path):
    seen = []
    found = web.fetch(wanted(server, size=len(CONTENT), sha256=SHA256), tmp_path,
                      lambda done, total: seen.append((done, total)))  # fmt: skip
    assert found == SHA256
    assert (tmp_path / "set.zip").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]
    web.fetch(wanted(server), tmp_path)
    assert len(server.asked) == 1


def test_a_drop_in_the_middle_goes_on_where_it_stopped(server, web, waited, tmp_path):
    server.faults = ["drop", "drop"]
    assert web.fetch(wanted(server), tmp_path) == SHA256
    first, second = len(CONTENT) // 2, len(CONTENT) // 2 + len(CONTENT) // 4
    assert [wish for _, wish in server.asked] == ["", f"bytes={first}-", f"bytes={second}-"]
    assert waited == [1.0, 1.0], "each try brought something"


def test_another_process_goes_on_where_one_stopped(server, web, tmp_path):
    server.faults = ["drop", 403]
    with pytest.raises(FetchError, match="found status 403"):
        web.fetch(wanted(server), tmp_path)
    with Downloader() as later:
        assert later.fetch(wanted(server), tmp_path) == SHA256
    assert server.asked[-1][1] == f"bytes={len(CONTENT) // 2}-"


def test_a_new_version_of_the_file_starts_over(server, web, tmp_path):
    server.faults = ["drop", 403]
    with pytest.raises(FetchError):
        web.fetch(wanted(server), tmp_path)
    server.tag, server.files["/set.zip"] = '"two"', CONTENT[::-1]
    web.fetch(wanted(server), tmp_path)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("tag", ['"one"', ""])
def test_a_server_without_ranges_or_versions_starts_over(server, web, tmp_path, tag):
    server.has_ranges, server.tag, server.faults = False, tag, ["drop"]
    assert web.fetch(wanted(server), tmp_path) == SHA256


def test_statuses_that_pass_are_waited_for(server, web, waited, tmp_path):
    server.faults, server.headers = [500, 429], {"Retry-After": "7"}
    assert web.fetch(wanted(server), tmp_path) == SHA256
    assert waited == [7.0, 7.0]


def test_silence_has_an_end(server, web, waited, tmp_path):
    server.faults = [500] * 9
    with pytest.raises(FetchError, match="found status 500 in 3 tries; try again later"):
        web.fetch(wanted(server), tmp_path)
    assert waited == [1.0, 2.0]


def test_nobody_there(web, tmp_path):
    with pytest.raises(FetchError, match="found no answer"):
        web.fetch(Wanted("a.zip", "http://127.0.0.1:9/a.zip"), tmp_path)


def test_a_part_that_is_whole_already_is_taken(server, web, tmp_path):
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    (tmp_path / "set.zip.part.json").write_text('"\\"one\\""')
    assert web.fetch(wanted(server), tmp_path) == SHA256


def test_a_part_that_is_too_long_is_thrown_away(server, web, tmp_path):
    (tmp_path / "set.zip.part").write_bytes(CONTENT + b"more")
    (tmp_path / "set.zip.part.json").write_text('"\\"one\\""')
    assert web.fetch(wanted(server), tmp_path) == SHA256


@pytest.mark.parametrize(
    ("stated", "what"),
    [({"sha256": "0" * 64}, "SHA-256"), ({"md5": "0" * 32}, "MD5"), ({"size": 2_000_000}, "size")],
)
def test_a_wrong_file_is_named_and_removed(server, web, tmp_path, stated, what):
    with pytest.raises(FetchError, match=f"must have the {what} .* found .*it was removed"):
        web.fetch(wanted(server, **stated), tmp_path)
    assert not (tmp_path / "set.zip").exists()


def test_a_file_longer_than_stated_is_not_taken_to_its_end(server, web, tmp_path):
    with pytest.raises(FetchError, match="must have 10 bytes, found more"):
        web.fetch(wanted(server, size=10), tmp_path)


def test_no_room_is_said_before(server, web, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(FetchError, match="requires 1 MB, found 1 MB free on the disk"):
        web.fetch(wanted(server), tmp_path)


def test_a_redirect_to_plain_http_is_not_followed(server, web, tmp_path):
    server.faults, server.headers = [302], {"Location": "http://example.invalid/set.zip"}
    with pytest.raises(FetchError, match="must come over https"):
        web.fetch(wanted(server), tmp_path)


def test_lists_are_json(server, web):
    server.put_json("/list", {"a": 1})
    server.files["/page"] = b"<html>"
    server.faults = [503]
    assert web.get_json(f"{server.url}/list") == {"a": 1}
    with pytest.raises(FetchError, match="must list its files as JSON"):
        web.get_json(f"{server.url}/page")
