"""Headers of every answer: what a browser may load, embed, keep and tell of the page.

Source: Content Security Policy Level 3 (W3C); RFC 9111 (Cache-Control); RFC 7034 (X-Frame-Options).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jomed_app.server.names import OPEN_PATHS

PAGES = frozenset({"/", ""})  # the HTML that Gradio renders, with its scripts inline
FIXED = ("/assets/", "/static/", "/svelte/", "/theme.css", "/favicon.ico")  # the same for all
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Permissions-Policy": ", ".join(
        f"{name}=()"
        for name in (
            "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture",
            "geolocation", "gyroscope", "magnetometer", "microphone", "midi", "payment",
            "serial", "usb", "xr-spatial-tracking",
        )
    ),
}  # fmt: skip


def content_policy(nonce: str, ancestors: Sequence[str]) -> str:
    """Return the Content-Security-Policy of one answer.

    Scripts come from this server, and inline only under the answer's nonce. 'unsafe-eval' stays:
    Gradio makes a component's template and script into a function of text that this server sent.
    Inline styles stay: Gradio and the panes set them.

    Args:
        nonce: of the inline scripts; empty where there are none.
        ancestors: origins that may show the page in a frame; nobody when empty.
    """
    scripts = f"'self' 'unsafe-eval' 'nonce-{nonce}'" if nonce else "'self' 'unsafe-eval'"
    frames = " ".join(ancestors) or "'none'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'self'",
            f"frame-ancestors {frames}",
        )
    )


class SecurityHeaders:
    """Adds the headers to every answer, refusals among them, and the nonce to the page's scripts.

    Args:
        app: what answers.
        ancestors: origins that may show the page in a frame.
    """

    def __init__(self, app: ASGIApp, ancestors: Sequence[str] = ()) -> None:
        self.app = app
        self.ancestors = tuple(ancestors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16) if scope["path"] in PAGES else ""
        start: Message = {}
        body = bytearray()

        async def with_headers(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                self._complete(MutableHeaders(raw=message["headers"]), scope["path"], nonce)
                start = message
                if not _is_page(nonce, message):
                    await send(message)
                return
            if not _is_page(nonce, start):
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                signed = bytes(body).replace(b"<script", f'<script nonce="{nonce}"'.encode())
                MutableHeaders(raw=start["headers"])["Content-Length"] = str(len(signed))
                await send(start)
                await send({"type": "http.response.body", "body": signed})

        await self.app(_readable(scope) if nonce else scope, receive, with_headers)

    def _complete(self, headers: MutableHeaders, path: str, nonce: str) -> None:
        """Set what every answer carries; an answer's own policy is never the looser one."""
        for name, value in ALWAYS.items():
            headers[name] = value
        headers["Content-Security-Policy"] = content_policy(nonce, self.ancestors)
        if not self.ancestors:
            headers["X-Frame-Options"] = "DENY"
        if path in OPEN_PATHS or not path.startswith(FIXED):
            headers["Cache-Control"] = "no-store"


def _is_page(nonce: str, start: Message) -> bool:
    """Whether an answer is the page, whose scripts need the nonce."""
    kind: str = Headers(raw=start["headers"]).get("content-type", "")
    return bool(nonce) and kind.startswith("text/html")


def _readable(scope: Scope) -> Scope:
    """Return the scope of a request that takes its answer uncompressed."""
    kept = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
    return {**scope, "headers": kept}
