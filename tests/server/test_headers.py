"""Every answer carries the headers; the page's inline scripts run under its own nonce alone."""

from __future__ import annotations

import re

import pytest

from jomed_app.server.headers import ALWAYS, SecurityHeaders, content_policy
from tests.server.asking import ask, page

HTML = b"<html><script>first()</script><script data-x>second()</script></html>"


@pytest.mark.parametrize("path", ["/", "/gradio_api/info", "/healthz", "/assets/a.js", "/nowhere"])
def test_every_answer_carries_the_headers(path):
    headers = ask(SecurityHeaders(page()), path=path).headers
    for name, value in ALWAYS.items():
        assert headers[name.lower()] == value
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_the_nonce_stands_in_the_policy_and_in_every_script_and_never_twice():
    app = SecurityHeaders(page(HTML, "text/html; charset=utf-8"))
    answers = [ask(app, path="/") for _ in range(2)]
    nonces = []
    for answer in answers:
        (nonce,) = re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"])
        assert answer.body == HTML.replace(b"<script", f'<script nonce="{nonce}"'.encode())
        assert answer.headers["content-length"] == str(len(answer.body))
        nonces.append(nonce)
    assert nonces[0] != nonces[1]
    assert len(nonces[0]) >= 22  # 128 bits


def test_the_page_is_asked_for_uncompressed_and_nothing_else_is():
    inner = page(HTML, "text/html")
    asked = {"headers": {"Accept-Encoding": "br"}}
    ask(SecurityHeaders(inner), path="/", **asked)
    ask(SecurityHeaders(inner), path="/theme.css", **asked)
    seen = [dict(scope["headers"]).get(b"accept-encoding") for scope in inner.scopes]
    assert seen == [None, b"br"]


def test_inline_scripts_without_the_nonce_are_refused():
    policy = content_policy("abc", ())
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "'unsafe-inline'" not in scripts
    assert "'nonce-abc'" in scripts
    assert "http" not in policy  # no other server is named


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/", "no-store"),
        ("/gradio_api/queue/data", "no-store"),
        ("/gradio_api/file=x", "no-store"),
        ("/config", "no-store"),
        ("/assets/index.js", "max-age=1"),
        ("/static/fonts/x.woff2", "max-age=1"),
    ],
)
def test_answers_and_uploads_are_not_kept_by_a_browser(path, kept):
    app = SecurityHeaders(page(**{"cache-control": "max-age=1"}))
    assert ask(app, path=path).headers["cache-control"] == kept


def test_nobody_may_frame_the_page_but_whom_the_settings_name():
    alone = ask(SecurityHeaders(page())).headers
    assert "frame-ancestors 'none'" in alone["content-security-policy"]
    assert alone["x-frame-options"] == "DENY"
    framed = ask(SecurityHeaders(page(), ["https://a.example", "https://b.example"])).headers
    assert (
        "frame-ancestors https://a.example https://b.example" in (framed["content-security-policy"])
    )
    assert "x-frame-options" not in framed  # it knows no list, and would refuse them
