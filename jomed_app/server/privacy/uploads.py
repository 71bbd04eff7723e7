"""The way in for a file: read from the request into memory, answered with a random name.

It stands in the place of Gradio's own route, which writes every upload to disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from io import BytesIO

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from jomed_app.server.refusal import refuse
from jomed_app.server.visitor import visitor_of
from jomed_app.ui.uploads import UploadsFullError, UploadStore

UPLOAD_PATH = "/gradio_api/upload"
FIELD = "files"
FORM_BYTES = 16 * 1024  # ours: what a form adds to the one file in it
TOO_LARGE = "A file must be at most {limit} MB, found a larger one; export a single image."
NO_FORM = 'One file must be sent as the form field "files", found something else; send it so.'
FULL = "The server holds as many uploads as it may, in all or of yours; try again in a moment."
SLOW = "A file must arrive within {seconds:g} s, found a slower one; send a smaller file."


class _TooLargeError(Exception):
    """More bytes came than one file may have."""


class _InMemory(MultiPartParser):
    """A form whose file stays in memory; Starlette would write one over 1 MiB to disk."""

    spool_max_size = 2**31


def _taken(file: UploadFile) -> bytes:
    """Return a file's bytes: those that it lies in where it lies in memory, not a copy of them."""
    held = getattr(file.file, "_file", None)
    if isinstance(held, BytesIO):
        return held.getvalue()
    file.file.seek(0)
    return file.file.read()


class Uploads:
    """Takes files and hands everything else on.

    Args:
        app: what answers everything else.
        store: where a file waits for its case.
        max_file_mb: largest file, MiB.
        seconds: how long one file may take to arrive.
    """

    def __init__(
        self, app: ASGIApp, store: UploadStore, max_file_mb: int, seconds: float = 120.0
    ) -> None:
        self.app = app
        self.store = store
        self.max_file_mb = max_file_mb
        self.seconds = seconds
        self._max_bytes = max_file_mb * 2**20 + FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] != UPLOAD_PATH or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        too_large = TOO_LARGE.format(limit=self.max_file_mb)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            await refuse(scope, receive, send, 413, too_large)
            return
        try:
            async with asyncio.timeout(self.seconds):
                path = await self._keep(Request(scope, receive))
        except _TooLargeError:
            await refuse(scope, receive, send, 413, too_large)
        except TimeoutError:
            await refuse(scope, receive, send, 408, SLOW.format(seconds=self.seconds))
        except UploadsFullError:
            await refuse(scope, receive, send, 503, FULL, {"Retry-After": "5"})
        except (MultiPartException, KeyError, ValueError, ClientDisconnect):
            await refuse(scope, receive, send, 400, NO_FORM)
        else:
            await JSONResponse([path])(scope, receive, send)

    async def _keep(self, request: Request) -> str:
        """Read the one file of a request into the store and return its path there."""
        reserved = 0
        visitor = visitor_of(request.scope)

        async def counted() -> AsyncGenerator[bytes, None]:
            nonlocal reserved
            async for chunk in request.stream():
                if reserved + len(chunk) > self._max_bytes:
                    raise _TooLargeError
                self.store.reserve(len(chunk), visitor)
                reserved += len(chunk)
                yield chunk

        try:
            form = await _InMemory(request.headers, counted(), max_files=1, max_fields=4).parse()
            try:
                file = form.get(FIELD)
                if not isinstance(file, UploadFile):
                    raise MultiPartException(NO_FORM)
                data = _taken(file)
            finally:
                await form.close()
            if len(data) > self.max_file_mb * 2**20:
                raise _TooLargeError
            self.store.release(reserved - len(data), visitor)
            reserved = 0
            return self.store.put(data, visitor)
        finally:
            self.store.release(reserved, visitor)
