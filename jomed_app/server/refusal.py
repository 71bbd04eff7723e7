"""A refusal: one sentence as JSON, in the form that the page and the Python client show."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    status: int,
    sentence: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer a request with a sentence; close a websocket.

    Args:
        scope: of the request.
        receive: its messages.
        send: takes the answer.
        status: HTTP status, 400 to 599.
        sentence: what was required, what was found, what to do; nothing that the asker sent.
        headers: beside those of every answer.
    """
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})
        return
    answer = JSONResponse({"detail": sentence}, status_code=status, headers=headers)
    await answer(scope, receive, send)
