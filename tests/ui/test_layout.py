"""The served page without a browser: the API, what it keeps, and how it was launched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from jomed_app.imaging import read_image
from jomed_app.types import FinalResult
from jomed_app.ui import text
from tests.ui.conftest import REPOSITORY
from tests.ui.fake_engine import FakeEngine, inverted_png_bytes, png_bytes
from tests.ui.serve_fake import SETTINGS


def post(url: str, body: bytes, kind: str) -> dict | list:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def upload(site, name: str, data: bytes) -> str:
    edge = "x" * 16
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
    (path,) = post(site.url + "gradio_api/upload", body, f"multipart/form-data; boundary={edge}")
    return path


def call(site, path: str, *wishes: object) -> tuple[str, object]:
    """Call /diagnose; return the last event's name and data."""
    body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, *wishes]}
    url = site.url + "gradio_api/call/diagnose"
    event = post(url, json.dumps(body).encode(), "application/json")["event_id"]
    with urllib.request.urlopen(f"{url}/{event}", timeout=60) as answer:
        lines = answer.read().decode().strip().splitlines()
    name, data = lines[-2].removeprefix("event: "), lines[-1].removeprefix("data: ")
    return name, json.loads(data)


def config(site) -> dict:
    with urllib.request.urlopen(site.url + "config", timeout=20) as answer:
        return json.loads(answer.read())


def test_the_api_returns_the_engines_result_and_leaves_no_trace(site):
    data = png_bytes(7)
    path = upload(site, "DOE_JOHN_19500101.png", data)
    name, (answer,) = call(site, path)
    assert name == "complete"
    expected = list(FakeEngine().run(read_image(data)))[-1].result
    assert answer == expected.model_dump(mode="json", by_alias=True)
    assert site.traces() == []
    left = " ".join(str(path) for path in site.uploads.rglob("*"))
    assert "DOE" not in left
    assert hashlib.sha256(data).hexdigest() not in left


def test_the_python_call_on_the_page_works(site, tmp_path):
    (tmp_path / "image.png").write_bytes(png_bytes(8))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text.PYTHON_CALL.replace("{base}", site.url)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "'prediction': 'malignant'" in done.stdout
    assert site.traces() == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_call_on_the_page_works(site, tmp_path):
    (tmp_path / "image.png").write_bytes(png_bytes(9))
    done = subprocess.run(
        ["bash", "-c", text.CURL_CALL.replace("{base}", site.url)],
        cwd=tmp_path,
        env={**os.environ, "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (answer,) = json.loads(done.stdout.strip().splitlines()[-1].removeprefix("data: "))
    assert FinalResult.model_validate(answer["final"]).prediction == "malignant"


def test_the_api_says_in_one_sentence_what_is_wrong(site):
    name, message = call(site, upload(site, "notes.png", b"not an image"))
    assert name == "error"
    assert "DICOM, PNG, JPEG" in json.dumps(message)
    assert site.traces() == []


def test_the_api_takes_no_file_from_elsewhere(site, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png_bytes())
    assert call(site, str(secret))[0] == "error"
    assert call(site, f"{site.uploads}/../{secret.name}")[0] == "error"
    assert secret.exists()


def test_the_api_inverts_and_goes_on_as_asked(site):
    data = inverted_png_bytes()
    asks = {}
    for wishes in ((), (False, False), (True, False), (False, True)):
        name, (answer,) = call(site, upload(site, "a.png", data), *wishes)
        assert name == "complete", wishes
        asks[wishes] = (answer["final"]["asks"], answer["final"]["prediction"])
    assert asks[()] == asks[(False, False)] == (["inversion"], None)
    assert asks[(True, False)] == asks[(False, True)] == ([], "malignant")


def test_only_diagnose_is_public(site):
    with urllib.request.urlopen(site.url + "gradio_api/info", timeout=20) as answer:
        info = json.loads(answer.read())
    assert list(info["named_endpoints"]) == ["/diagnose"]
    assert info["unnamed_endpoints"] == {}
    taken = info["named_endpoints"]["/diagnose"]["parameters"]
    names = {each["parameter_name"]: each["parameter_default"] for each in taken[1:]}
    assert names == {"invert": False, "anyway": False, "region": "found"}


def test_nothing_is_shared_kept_or_watched(site):
    found = config(site)
    assert found["analytics_enabled"] is False
    assert found["run_history"] is False
    for path in (
        "monitoring",
        "monitoring/summary",
        f"gradio_api/file={REPOSITORY}/app.py",
        f"gradio_api/file={REPOSITORY}/jomed_app/__init__.py",
    ):
        with pytest.raises(urllib.error.HTTPError, match=r"40\d") as refused:
            urllib.request.urlopen(site.url + path, timeout=20)
        refused.value.close()


def test_a_file_over_the_limit_is_refused(site):
    # either the answer 413 or, while we are still sending, a closed connection
    with pytest.raises((urllib.error.URLError, ConnectionError), match=r"413|reset|[Bb]roken"):
        upload(site, "a.bin", bytes(4 * 1024 * 1024))
    assert not any(path.endswith("a.bin") for path in site.traces())


def test_the_page_refuses_a_file_over_the_limit_before_it_is_sent(site):
    scripts = [component["props"].get("js_on_load") for component in config(site)["components"]]
    limit = f"const LIMIT = {SETTINGS.max_file_mb} * 1024 * 1024;"
    assert any(limit in script for script in scripts if script)


def test_the_page_carries_the_disclaimer(site):
    values = [component["props"].get("value") for component in config(site)["components"]]
    assert any(isinstance(value, str) and text.DISCLAIMER in value for value in values)


def test_closing_the_tab_or_running_out_of_time_purges_the_session(site):
    assert site.facts["left"] == ["open"]
    assert site.facts["search_after_unload"] == "joint"
    assert site.facts["state_seconds"] == 60 * SETTINGS.session_minutes


def test_what_reads_a_case_waits_in_the_line_and_the_queue_is_short(site):
    # upload, example, frame, region, search, again, go on, inverted, the strip of answers, links,
    # the list (an image behind, an image shown again), /diagnose
    assert site.facts["in_line"] == 13
    assert site.facts["max_size"] == SETTINGS.max_queue
    assert site.facts["public"] == ["diagnose"]


def test_building_writes_nothing_into_the_package(site):
    assert list((REPOSITORY / "jomed_app").rglob("*.pyi")) == []
