"""One visitor of the page without a browser: cookie, session id, events; and the same for calls."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx

from tests.ui.conftest import Site

API = "gradio_api/"


class PageClient:
    """What the page's own script does, by hand.

    Args:
        site: the page being served.
        session: id to claim; a new one when None, as the page makes up.
    """

    def __init__(self, site: Site, session: str | None = None, *, has_cookie: bool = True) -> None:
        self.http = httpx.Client(base_url=site.url, timeout=60)
        if has_cookie:
            self.http.get("/").raise_for_status()
        self.session = session or secrets.token_hex(6)
        self.config = self.http.get("config").json()

    def upload(self, name: str, data: bytes) -> str:
        """Send a file; return the path that stands for it."""
        answer = self.http.post(API + "upload", files={"files": (name, data)})
        answer.raise_for_status()
        (path,) = answer.json()
        return path

    def function(self, event: str) -> dict[str, Any]:
        """The page's function for an event, such as case_file, or the run that follows it."""
        name, _, after = event.partition("+")
        found = next(
            each
            for each in self.config["dependencies"]
            if each["outputs"] and any(target[1] == name for target in each["targets"])
        )
        if not after:
            return found
        (then,) = [
            each for each in self.config["dependencies"] if each["trigger_after"] == found["id"]
        ]
        return then

    def join(self, event: str, sent: dict[str, Any] | None = None) -> httpx.Response:
        """Ask for an event, and do not wait for what comes of it."""
        function = self.function(event)
        target = function["targets"][0][0] if function["targets"] else None
        body = {
            "data": [None] * len(function["inputs"]),
            "event_data": sent,
            "fn_index": function["id"],
            "trigger_id": target,
            "session_hash": self.session,
        }
        return self.http.post(API + "queue/join", json=body)

    def heard(self, event_id: str | None = None) -> list[dict[str, Any]]:
        """Every message for the session, until that event has ended or nothing is on its way."""
        came = []
        with self.http.stream(
            "GET", API + "queue/data", params={"session_hash": self.session}
        ) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data: "):
                    continue
                came.append(json.loads(line.removeprefix("data: ")))
                has_ended = came[-1]["msg"] == "process_completed"
                if has_ended and event_id is not None and came[-1]["event_id"] == event_id:
                    break
        return came

    def does(self, event: str, sent: dict[str, Any] | None = None) -> str:
        """Ask for an event and return all that came of it, as text."""
        joined = self.join(event, sent).raise_for_status().json()
        return json.dumps(self.heard(joined["event_id"]))

    def opens(self, data: bytes, name: str = "image.png") -> str:
        """Open a file and run it; return all that came of the run, as text."""
        self.does("case_file", {"path": self.upload(name, data)})
        return self.does("case_file+run")

    def leave(self) -> None:
        """Close the tab."""
        self.http.close()


def diagnose(http: httpx.Client, path: str) -> tuple[str, Any]:
    """Call /diagnose for an upload; return the last event's name and data."""
    body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
    asked = http.post(API + "call/diagnose", json=body)
    if asked.status_code == 503:
        return "queue full", None
    asked.raise_for_status()
    answer = http.get(f"{API}call/diagnose/{asked.json()['event_id']}")
    name, data = answer.text.strip().splitlines()[-2:]
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
