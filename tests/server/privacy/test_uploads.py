"""The way in for a file: memory, a random name, one file, bounds; each refusal one sentence."""

from __future__ import annotations

import asyncio
import json

import pytest

from jomed_app.server.privacy.uploads import FULL, NO_FORM, SLOW, UPLOAD_PATH, Uploads
from jomed_app.ui.uploads import UploadStore
from tests.server.asking import ask, page, scope_of

EDGE = "x" * 16
MB = 2**20


def form(*files: tuple[str, bytes], field: str = "files") -> bytes:
    parts = [
        f"--{EDGE}\r\nContent-Type: application/dicom\r\n".encode()
        + f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + f"--{EDGE}--\r\n".encode()


def send(app, *parts: bytes, kind=f"multipart/form-data; boundary={EDGE}", ends=(), **headers):
    headers = {"Content-Type": kind} | headers
    return ask(app, *parts, path=UPLOAD_PATH, method="POST", headers=headers, ends=ends)


@pytest.fixture
def store(tmp_path) -> UploadStore:
    return UploadStore(tmp_path / "never made", max_bytes=4 * MB)


@pytest.fixture
def app(store) -> Uploads:
    return Uploads(page(), store, max_file_mb=2)


def test_a_file_waits_under_a_random_name_and_never_on_disk(app, store, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = bytes(range(256)) * 6000  # 1.5 MB: over what a form keeps in memory by itself
    body = form(("DOE_JOHN.dcm", data))
    opened = []
    monkeypatch.setattr("os.open", lambda *words, **more: opened.append(words))
    answer = send(app, *(body[start : start + 65536] for start in range(0, len(body), 65536)))
    assert (answer.status, opened) == (200, [])
    (path,) = json.loads(answer.body)
    assert "DOE" not in path
    assert store.take(path) == data
    assert list(tmp_path.iterdir()) == []


def test_other_requests_are_handed_on(app):
    assert ask(app, path=UPLOAD_PATH).body == b"fine"
    assert ask(app, path="/other", method="POST").body == b"fine"


@pytest.mark.parametrize("size", [2 * MB + 1, 2 * MB + 20_000])
def test_a_file_over_the_limit_is_refused_whether_it_says_so_or_not(app, store, size):
    body = form(("a", bytes(size)))
    for headers in ({}, {"content-length": str(len(body))}):
        answer = send(app, body, **headers)
        assert (answer.status, "at most 2 MB" in answer.sentence) == (413, True)
    assert store._held_bytes.total() == 0


def test_the_largest_file_is_taken(app, store):
    (path,) = json.loads(send(app, form(("a", bytes(2 * MB)))).body)
    assert store._held_bytes.total() == len(store.take(path)) == 2 * MB


def test_no_more_wait_than_the_server_holds(app, store):
    body = form(("a", bytes(MB + MB // 2)))
    answers = [send(app, body) for _ in range(3)]
    assert [each.status for each in answers] == [200, 200, 503]
    assert answers[2].sentence == FULL
    assert answers[2].headers["retry-after"] == "5"
    assert len(store) == 2
    assert store.take(json.loads(answers[0].body)[0]) is not None
    assert send(app, body).status == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"no form", form(), form(("a", b"1"), field="other"), form(("a", b"1"), ("b", b"2")),
     form(("a", b"1"))[:-30]],
)  # fmt: skip
def test_what_is_not_one_file_is_refused(app, store, body):
    answer = send(app, body)
    assert (answer.status, answer.sentence) == (400, NO_FORM)
    assert (len(store), store._held_bytes.total()) == (0, 0)


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data"])
def test_a_body_without_a_boundary_is_refused(app, kind):
    assert send(app, form(("a", b"1")), kind=kind).sentence == NO_FORM


def test_room_is_given_back_when_the_sender_leaves(app, store):
    body = form(("a", bytes(MB)))[:MB]
    assert send(app, body, ends=[{"type": "http.disconnect"}]).status == 400
    assert (len(store), store._held_bytes.total()) == (0, 0)


def test_one_visitors_files_leave_room_for_another(tmp_path):
    store = UploadStore(tmp_path, max_bytes=4 * MB, max_visitor_bytes=MB)
    app = Uploads(page(), store, max_file_mb=2)
    about = {
        "path": UPLOAD_PATH,
        "method": "POST",
        "headers": {"Content-Type": f"multipart/form-data; boundary={EDGE}"},
    }
    half = form(("a", bytes(MB // 2)))
    assert ask(app, half, client=("192.0.2.1", 1), **about).status == 200
    refused = ask(app, half, client=("192.0.2.1", 2), **about)
    assert (refused.status, refused.sentence) == (503, FULL)
    assert ask(app, half, client=("192.0.2.2", 1), **about).status == 200


def test_a_file_that_comes_too_slowly_is_cut_off_and_holds_no_room(store):
    app = Uploads(page(), store, max_file_mb=2, seconds=0.05)
    first = [{"type": "http.request", "body": form(("a", bytes(MB)))[:-100], "more_body": True}]
    sent = []

    async def receive():
        if first:
            return first.pop()
        await asyncio.sleep(30)

    async def collect(message):
        sent.append(message)

    headers = {"Content-Type": f"multipart/form-data; boundary={EDGE}"}
    scope = scope_of(UPLOAD_PATH, method="POST", headers=headers)
    asyncio.run(app(scope, receive, collect))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["detail"] == SLOW.format(seconds=0.05)
    assert store._held_bytes == {}
