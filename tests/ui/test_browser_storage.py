"""What a browser keeps of a case, and what a reload leaves of it on the server: nothing."""

from __future__ import annotations

import json

import httpx

from jomed_app.ui import text
from jomed_app.ui.session import SECRET_COOKIE
from tests import planted
from tests.ui.fake_engine import picture
from tests.ui.page_client import PageClient
from tests.ui.test_browser import browser, pytestmark, visit

__all__ = ["browser", "pytestmark", "visit"]

KEPT = """async () => ({
    local: {...localStorage}, session: {...sessionStorage}, cookie: document.cookie,
    databases: await indexedDB.databases(), caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
    name: window.name, history: history.state, address: location.href,
})"""


def test_a_browser_keeps_nothing_and_a_reload_ends_the_case(visit, site):
    here, file, sessions = visit(), planted.png(picture(6)), []
    here.page.on("request", lambda request: sessions.append(request.post_data or ""))
    here.upload(file.name, file.data)
    here.done()
    kept = here.page.evaluate(KEPT)
    assert planted.found_in([("browser", json.dumps(kept).encode())], file) == []
    assert "data:image" not in json.dumps(kept)
    assert (kept["databases"], kept["caches"], kept["workers"], kept["cookie"]) == ([], [], 0, "")
    assert planted.found_in([("page", here.page.content().encode())], file) == []
    (cookie,) = here.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (SECRET_COOKIE, True, "Lax")
    assert cookie["expires"] == -1, "it goes with the browser"

    joined = next(body for body in sessions if "session_hash" in body)
    same = PageClient(site, json.loads(joined)["session_hash"], has_cookie=False)
    same.http.cookies = httpx.Cookies({SECRET_COOKIE: cookie["value"]})
    assert text.STATUS_RESTORED in same.does("case_restore_all"), "both open it"
    here.page.reload()
    here.page.wait_for_selector(".jv-empty-title >> visible=true")
    for _ in range(100):
        if text.NO_CASE in same.does("case_restore_all"):
            break
        here.page.wait_for_timeout(100)
    assert text.NO_CASE in same.does("case_restore_all")
    same.leave()
