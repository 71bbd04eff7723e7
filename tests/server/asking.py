"""Ask an ASGI app one thing, without a server, a socket or a client library."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """Status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def sentence(self) -> str:
        return json.loads(self.body)["detail"]


def scope_of(
    path: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    client: tuple[str, int] | None = ("127.0.0.1", 50000),
    kind: str = "http",
) -> dict[str, Any]:
    named = {"host": "localhost:7860"} | {k.lower(): v for k, v in (headers or {}).items()}
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.split("?")[0],
        "raw_path": path.split("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": [(k.encode(), v.encode()) for k, v in named.items()],
        "client": client,
        "server": ("127.0.0.1", 7860),
    }


async def ask_async(app, *parts: bytes, ends: Iterable[dict] = (), **about: Any) -> Answer:
    """Send a request whose body comes in parts; `ends` come in place of its end."""
    parts = parts or (b"",)
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if ends:
        messages += list(ends)
    else:
        messages[-1]["more_body"] = False
    queue = iter(messages)
    sent: list[dict] = []

    async def receive():
        return next(queue, {"type": "http.disconnect"})

    async def send(message):
        sent.append(message)

    await app(scope_of(**about), receive, send)
    start = next(each for each in sent if each["type"] == "http.response.start")
    body = b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body")
    headers = {k.decode().lower(): v.decode() for k, v in start["headers"]}
    return Answer(start["status"], headers, body)


def ask(app, *parts: bytes, **about: Any) -> Answer:
    """`ask_async` in an event loop of its own."""
    return asyncio.run(ask_async(app, *parts, **about))


def page(body: bytes = b"fine", kind: str = "text/plain", **headers: str):
    """An app that answers everything with one body, and notes the scopes it was asked with."""

    async def app(scope, receive, send):
        app.scopes.append(scope)
        pairs = {"content-type": kind, "content-length": str(len(body))} | headers
        raw = [(k.encode(), v.encode()) for k, v in pairs.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    app.scopes = []
    return app
