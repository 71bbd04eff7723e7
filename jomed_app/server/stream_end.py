"""The end of a session's stream: no event is handed out that its page would not hear of.

A page reads its events' results from one stream, which Gradio ends when none is left, by a message
in it. An event that the page sends before it has read that message is taken for one of the old
stream: the page closes the stream, opens none, and waits for ever (seen in Gradio 6.31, whenever a
page is slow to draw and its visitor quick to click). So an event's id is held back from the message
until the page has hung up; it then opens a new stream for it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STREAM_PATH = "/gradio_api/queue/data"
EVENT_PATH = "/gradio_api/queue/join"
END = b'"msg":"close_stream"'
SESSION = "jomed.session"  # of the scope: the session a request names, as Gradio knows it
HANG_UP_S = 2.0  # ours: a page hangs up within milliseconds; no event waits longer than this


class StreamEnd:
    """Holds back an event's id while its session's stream is ending.

    Stands inside what gives the scope its session.

    Args:
        app: what answers.
        limit_s: seconds that a page is given to hang up.
    """

    def __init__(self, app: ASGIApp, limit_s: float = HANG_UP_S) -> None:
        self.app = app
        self._limit_s = limit_s
        self._ending: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        session = scope.get(SESSION) if scope["type"] == "http" else None
        if session and scope["path"] == STREAM_PATH:
            await self._stream(session, scope, receive, send)
        elif session and scope["path"].rstrip("/") == EVENT_PATH:
            await self.app(scope, receive, self._after_end(session, send))
        else:
            await self.app(scope, receive, send)

    async def _stream(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a stream; after the message that ends it wait until the page has hung up."""
        over = asyncio.Event()

        async def send_and_wait(message: Message) -> None:
            is_last = not message.get("more_body", message["type"] == "http.response.start")
            if END in message.get("body", b""):
                self._ending[session].add(over)  # before the page can have read it
            elif is_last and session in self._ending:
                await self._hung_up(receive)
                self._ended(session, over)
            await send(message)

        try:
            await self.app(scope, receive, send_and_wait)
        finally:
            self._ended(session, over)

    async def _hung_up(self, receive: Receive) -> None:
        try:
            async with asyncio.timeout(self._limit_s):
                while (await receive())["type"] != "http.disconnect":
                    continue
        except TimeoutError:
            return

    def _ended(self, session: str, over: asyncio.Event) -> None:
        over.set()
        if session in self._ending:
            self._ending[session].discard(over)
            if not self._ending[session]:
                del self._ending[session]

    def _after_end(self, session: str, send: Send) -> Send:
        """Return what sends an event's id once no stream of its session is ending."""

        async def send_after(message: Message) -> None:
            if message["type"] == "http.response.start":
                for over in list(self._ending.get(session, ())):
                    await over.wait()
            await send(message)

        return send_after
