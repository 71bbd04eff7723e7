"""Visitors: one by the API, one by the events that the page itself sends; both over HTTP."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any, Protocol

import httpx

UPLOAD = "/gradio_api/upload"
CALL = "/gradio_api/call/diagnose"
JOIN = "/gradio_api/queue/join"
EVENTS = "/gradio_api/queue/data"
PATIENCE_S = 300.0
_RESULT = re.compile(r'<pre data-source="json"[^>]*>(.*?)</pre>', re.DOTALL)
_ALERT = re.compile(r'role="alert"[^>]*>(.*?)</div>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


class RefusedError(Exception):
    """The app answered with a sentence and no result."""


class Visitor(Protocol):
    """Sends a file and gets its Result."""

    def ask(self, content: bytes) -> dict[str, Any]:
        """Return the Result of a file.

        Raises:
            RefusedError: with the app's sentence, if there is none.
        """

    def leave(self) -> None:
        """Close the connections."""


class ApiVisitor:
    """Calls the documented endpoint.

    Args:
        url: of the app.
        address: that a proxy in front says it came from; its own without one.
    """

    def __init__(self, url: str, address: str = "") -> None:
        headers = {"X-Forwarded-For": address} if address else {}
        self._http = httpx.Client(base_url=url, timeout=PATIENCE_S, headers=headers)

    def ask(self, content: bytes) -> dict[str, Any]:
        """See `Visitor.ask`."""
        path = _upload(self._http, content)
        asked = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
        event = _answered(self._http.post(CALL, json=asked))["event_id"]
        name = ""
        with self._http.stream("GET", f"{CALL}/{event}") as stream:
            for line in stream.iter_lines():
                if line.startswith("event:"):
                    name = line.removeprefix("event:").strip()
                elif line.startswith("data:") and name in ("complete", "error"):
                    told = json.loads(line.removeprefix("data:"))
                    if name == "error":
                        raise RefusedError(_sentence(told))
                    result: dict[str, Any] = told[0]
                    return result
        raise RefusedError("the stream ended without an answer")

    def leave(self) -> None:
        """See `Visitor.leave`."""
        self._http.close()


class PageVisitor:
    """Opens the page once and sends its events, in one browser session.

    Args:
        url: of the app.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=PATIENCE_S)
        self._http.get("/").raise_for_status()
        wired = self._http.get("/config").raise_for_status().json()["dependencies"]
        opened = next(each for each in wired if each["targets"][0][1] == "case_file")
        self._open = int(opened["id"])
        self._run = next(int(each["id"]) for each in wired if each["trigger_after"] == self._open)
        self._session = secrets.token_hex(6)

    def ask(self, content: bytes) -> dict[str, Any]:
        """See `Visitor.ask`."""
        path = _upload(self._http, content)
        opened = self._fire(self._open, {"path": path})
        if not opened[0]["case"]:
            raise RefusedError(_alert(opened))
        read = self._fire(self._run, None)
        found = _RESULT.search(str(read[5]))
        if found is None:
            raise RefusedError(_alert(read))
        result: dict[str, Any] = json.loads(html.unescape(found.group(1)))
        return result

    def leave(self) -> None:
        """See `Visitor.leave`."""
        self._http.close()

    def _fire(self, event: int, sent: dict[str, Any] | None) -> list[Any]:
        """Send one event of the page and return what it last showed."""
        asked = {
            "data": [],
            "fn_index": event,
            "event_data": sent,
            "session_hash": self._session,
            "trigger_id": None,
        }
        number = _answered(self._http.post(JOIN, json=asked))["event_id"]
        for told in self._told():
            if told.get("event_id") == number and told["msg"] == "process_completed":
                if not told.get("success", True):
                    raise RefusedError(_sentence(told["output"].get("error")))
                shown: list[Any] = told["output"]["data"]
                return shown
        raise RefusedError("the stream ended without an answer")

    def _told(self) -> Iterator[dict[str, Any]]:
        """What the server tells this session, until it closes the stream."""
        with self._http.stream("GET", EVENTS, params={"session_hash": self._session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    told: dict[str, Any] = json.loads(line.removeprefix("data:"))
                    yield told
                    if told["msg"] == "close_stream":
                        return


def _upload(http: httpx.Client, content: bytes) -> str:
    """Send a file; return where the server put it."""
    answered = http.post(UPLOAD, files={"files": ("image", content, "application/octet-stream")})
    return str(_answered(answered)[0])


def _answered(response: httpx.Response) -> Any:
    """The body of a response that went well."""
    if response.is_error:
        raise RefusedError(f"{response.status_code}: {response.text[:200]}")
    return response.json()


def _sentence(told: Any) -> str:
    """The sentence of an error that an event carries."""
    return str(told.get("error") if isinstance(told, dict) else told)


def _alert(shown: list[Any]) -> str:
    """The sentence of the banner or, without one, of the status line."""
    for part in (shown[2], shown[1]):
        found = _ALERT.search(str(part))
        words = found.group(1) if found else str(part)
        if words := html.unescape(_TAG.sub("", words)).strip():
            return words
    return "no sentence"
