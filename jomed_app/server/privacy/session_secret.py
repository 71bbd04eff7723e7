"""A secret beside the session id: whoever knows the id alone cannot reach the session.

The page makes a session id up and sends it with every request; Gradio takes it as proof. Here
Gradio is given another id, made of the page's and of a cookie that scripts cannot read, by a key
that this process made up (HMAC-SHA256, RFC 2104). The same id with another cookie, or without one,
is another session. Nothing is kept per visitor. Layers within find the session in the scope.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jomed_app.server.privacy.uploads import UPLOAD_PATH
from jomed_app.server.refusal import refuse
from jomed_app.server.stream_end import SESSION
from jomed_app.ui.session import SECRET_COOKIE

FIELD = "session_hash"
IN_PATH = re.compile(r"(/gradio_api/heartbeat/)([^/]+)")
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 random bytes
MAX_BODY_BYTES = 256 * 1024  # ours: an event of the page is a few hundred bytes
NOT_JSON = "A request must carry one JSON object of at most 256 KB, found something else."


class SessionSecret:
    """Gives the page its cookie, and Gradio sessions that only its holder reaches.

    Args:
        app: what answers.
        key: of this process; a new one when None.
    """

    def __init__(self, app: ASGIApp, key: bytes | None = None) -> None:
        self.app = app
        self._key = key or secrets.token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        secret = secret_of(scope)
        if scope["method"] == "POST" and scope["path"] != UPLOAD_PATH:
            values = await self._with_own_session(receive, secret)
            if values is None:
                await refuse(scope, receive, send, 400, NOT_JSON)
                return
            body = json.dumps(values).encode()
            scope = {**_with_body(scope, body), SESSION: values.get(FIELD)}
            receive = _sends(body, receive)
        if scope["path"] == "/" and not secret:
            send = _with_cookie(scope, send)
        await self.app(self._with_own_place(scope, secret), receive, send)

    def session(self, named: str, secret: str) -> str:
        """Return the id of a session for Gradio.

        Args:
            named: as the page sent it.
            secret: of the cookie; empty for a client without one.
        """
        return hmac.new(self._key, f"{secret}\n{named}".encode(), "sha256").hexdigest()[:32]

    def _with_own_place(self, scope: Scope, secret: str) -> Scope:
        """Return the scope with the session replaced in path and query."""
        if place := IN_PATH.fullmatch(scope["path"]):
            path = place[1] + self.session(place[2], secret)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        if FIELD.encode() in scope["query_string"]:
            query = [
                (name, self.session(value, secret) if name == FIELD else value)
                for name, value in parse_qsl(scope["query_string"].decode("latin-1"), True)
            ]
            named = dict(query).get(FIELD)
            scope = {**scope, "query_string": urlencode(query).encode(), SESSION: named}
        return scope

    async def _with_own_session(self, receive: Receive, secret: str) -> dict[str, Any] | None:
        """Read a body and return it with the session replaced; None if it is no JSON object."""
        body = await _read(receive)
        try:
            values: Any = json.loads(body) if body is not None else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(values, dict) or not isinstance(values.get(FIELD, ""), str | None):
            return None
        if values.get(FIELD) is not None:
            values[FIELD] = self.session(values[FIELD], secret)
        return values


def secret_of(scope: Scope) -> str:
    """Return a request's secret; empty for none, or what this server cannot have given out."""
    cookie = Headers(scope=scope).get("cookie", "")
    value: str = cookie_parser(cookie).get(SECRET_COOKIE, "")
    return value if SECRET.fullmatch(value) else ""


def new_cookie(scope: Scope) -> str:
    """Return a Set-Cookie header with a new secret, for the answer to a request.

    Lax, not Strict: a browser leaves a Strict cookie out when the page is opened from a link, the
    page would be given a second secret, and a first tab of the same browser would lose its case.
    In another site's frame, as in a Space, only a cookie for that frame alone is kept (CHIPS:
    SameSite=None, Secure, Partitioned), over https.
    """
    headers = Headers(scope=scope)
    scheme = headers.get("x-forwarded-proto", scope.get("scheme", "http"))
    is_secure = scheme.split(",")[0].strip() == "https"
    is_framed = is_secure and headers.get("sec-fetch-dest") == "iframe"
    parts = [f"{SECRET_COOKIE}={secrets.token_urlsafe(32)}", "Path=/", "HttpOnly"]
    parts += ["SameSite=None", "Secure", "Partitioned"] if is_framed else ["SameSite=Lax"]
    parts += ["Secure"] if is_secure and not is_framed else []
    return "; ".join(parts)


def _with_cookie(scope: Scope, send: Send) -> Send:
    """Return what sends an answer with a new secret in its head."""

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(raw=message["headers"]).append("Set-Cookie", new_cookie(scope))
        await send(message)

    return send_with_cookie


async def _read(receive: Receive) -> bytes | None:
    """Return a request's body; None if it is too long or its sender left."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _with_body(scope: Scope, body: bytes) -> Scope:
    """Return the scope of a request that carries another body."""
    replaced = (b"content-length", b"content-type", b"transfer-encoding")
    headers = [each for each in scope["headers"] if each[0] not in replaced]
    headers += [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    return {**scope, "headers": headers}


def _sends(body: bytes, receive: Receive) -> Receive:
    """Return what hands out the body, then whatever follows it."""
    is_sent = False

    async def receive_body() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body
