"""Who may log in with a Hugging Face account: the gate; the log-in itself is Gradio's.

In a Space whose README says `hf_oauth: true` the environment names an OpenID provider and this
app's secret there. Gradio's routes send a visitor to it and keep what it says in a signed cookie.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from html import escape
from typing import Any

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from jomed_app.errors import ConfigError
from jomed_app.server.names import OPEN_PATHS
from jomed_app.server.refusal import refuse

USERS = "JOMED_HF_USERS"  # names by commas; * lets in every account
ANYONE = "*"
NEEDED = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")
LOG_IN = "/login/huggingface"
ROUTES = (LOG_IN, "/login/callback", "/logout")  # that `attach_login` adds
OPEN = OPEN_PATHS | {*ROUTES}
NOT_LOGGED_IN = "A Hugging Face account is required, found no log-in; open the page and log in."
NOT_INVITED = "This account is not among those that may use this server; ask who runs it."
# A new tab: the provider's page refuses to be shown in the frame that a Space is shown in.
WELCOME = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<body style="font-family: sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>{title}</h1>
<p>{sentence}</p>
<p><a href="{address}" target="_blank" rel="noopener">Log in with Hugging Face</a></p>
</body></html>
"""


def users_of_environment() -> frozenset[str] | None:
    """Return who may log in, in lower case, {"*"} for everyone; None if nobody is named.

    Raises:
        ConfigError: if users are named, and the provider or this app's secret there are not.
    """
    users = frozenset(
        name.strip().lower() for name in os.environ.get(USERS, "").split(",") if name.strip()
    )
    if not users:
        return None
    # Gradio signs the cookie with the secret alone; without a Space it would invent the account.
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing or os.environ.get("SYSTEM") != "spaces":
        raise ConfigError(
            f"{USERS} requires a Space whose README says hf_oauth: true, found "
            f"{' and '.join(missing) or 'no Space'} missing; add that line or unset {USERS}"
        )
    return users


class HuggingFaceGate:
    """Lets in who logged in and may; stands inside the middleware that reads the signed cookie.

    Args:
        app: what answers.
        users: names in lower case; {"*"} for everyone.
    """

    def __init__(self, app: ASGIApp, users: Collection[str]) -> None:
        self.app = app
        self.users = frozenset(users)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        name = _logged_in(scope.get("session") or {})
        if name and (ANYONE in self.users or name in self.users):
            await self.app(scope, receive, send)
        elif scope["path"] == "/":
            sentence = NOT_INVITED if name else NOT_LOGGED_IN
            text = WELCOME.format(title="JOMED", sentence=escape(sentence), address=LOG_IN)
            await HTMLResponse(text, 403 if name else 401)(scope, receive, send)
        else:
            status, sentence = (403, NOT_INVITED) if name else (401, NOT_LOGGED_IN)
            await refuse(scope, receive, send, status, sentence)


def _logged_in(session: dict[str, Any]) -> str:
    """Return the account's name from a session that has not run out; "" if there is none."""
    login = session.get("oauth_info") or {}
    expires_at = login.get("expires_at")
    if not isinstance(expires_at, int | float) or expires_at < time.time():
        return ""
    return str((login.get("userinfo") or {}).get("preferred_username") or "").lower()
