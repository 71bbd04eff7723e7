"""What an event of the page brings: who asks, and what was sent."""

from __future__ import annotations

from typing import Any

import gradio as gr

from jomed_app.errors import SessionError
from jomed_app.ui import text
from jomed_app.ui.session import SECRET_COOKIE


def sent(event: gr.EventData) -> dict[str, Any]:
    """Return what the page sent with an event; anything malformed counts as nothing."""
    return event._data if isinstance(event._data, dict) else {}


def session_of(request: gr.Request) -> str:
    """Return the key of the browser session."""
    return str(request.session_hash or "")


def has_secret(request: gr.Request) -> bool:
    """Whether the browser keeps our cookie; without it a session's id alone would open its case."""
    return bool(request.cookies.get(SECRET_COOKIE))


def require_secret(request: gr.Request) -> None:
    """Refuse to open a case for a browser that keeps no cookie.

    Raises:
        SessionError: if the request carries no secret.
    """
    if not has_secret(request):
        raise SessionError(text.NO_SECRET)
