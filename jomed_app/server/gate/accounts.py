"""Who may log in with a password: accounts from the environment, kept as digests only."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from jomed_app.errors import ConfigError
from jomed_app.server.names import OPEN_PATHS
from jomed_app.server.rates import Buckets, refuse_too_often
from jomed_app.server.refusal import refuse
from jomed_app.server.visitor import visitor_of

ACCOUNTS = "JOMED_AUTH"  # user:password,user:password
ACCOUNTS_FILE = "JOMED_AUTH_FILE"  # one user:password a line
LEAST_PASSWORD = 8
FAILURES_PER_MINUTE = 10  # of one visitor
LOG_IN = "A user name and its password are required, found none that match; log in."
CHALLENGE = {"WWW-Authenticate": 'Basic realm="JOMED", charset="UTF-8"'}


class Accounts:
    """Accounts as keyed digests: the passwords are not kept, and no comparison tells how near.

    Args:
        pairs: user name and password.

    Raises:
        ConfigError: if there is none, or one lacks a name or has a short password.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._key = secrets.token_bytes(32)
        self._digests: list[bytes] = []
        for name, password in pairs:
            if not name or len(password) < LEAST_PASSWORD:
                raise ConfigError(
                    f"{ACCOUNTS} requires user:password with at least {LEAST_PASSWORD} characters "
                    f"as password, found an account without; mend account {len(self._digests) + 1}"
                )
            self._digests.append(self._digest(name, password))
        if not self._digests:
            raise ConfigError(f"{ACCOUNTS} requires at least one user:password, found none")

    def holds(self, name: str, password: str) -> bool:
        """Whether there is such an account; every one is compared, whichever fits."""
        asked = self._digest(name, password)
        found = [hmac.compare_digest(asked, each) for each in self._digests]
        return any(found)

    def _digest(self, name: str, password: str) -> bytes:
        whole = f"{len(name)}:{name}:{password}"  # a name may not end where a password begins
        return hmac.digest(self._key, whole.encode("utf-8", "surrogatepass"), "sha256")


def accounts_of_environment() -> Accounts | None:
    """Return the accounts that the environment names, None if it names none.

    The variable is taken out of the environment: no process that this one starts inherits it.

    Raises:
        ConfigError: if both variables are set, the file cannot be read, or an account is bad.
    """
    listed, file = os.environ.pop(ACCOUNTS, ""), os.environ.get(ACCOUNTS_FILE, "")
    if listed and file:
        raise ConfigError(f"{ACCOUNTS} or {ACCOUNTS_FILE} is required, found both; unset one")
    if file:
        try:
            rows = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{ACCOUNTS_FILE} requires a readable text file, found none; check the path"
            ) from error
    elif listed:
        rows = listed.split(",")
    else:
        return None
    parts = (row.strip().partition(":") for row in rows if row.strip())
    return Accounts((name.strip(), password) for name, _, password in parts)


class PasswordGate:
    """Lets in who logs in (HTTP Basic, RFC 7617), and anyone to the probes.

    Args:
        app: what answers.
        accounts: who may come in.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self.app = app
        self.accounts = accounts
        self.failures = Buckets(FAILURES_PER_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        given = _given(Headers(scope=scope).get("authorization", ""))
        if given is not None:
            # A guess costs a token before it is looked at; a right one gives it back.
            if wait_s := self.failures.take(visitor_of(scope), 1.0):
                await refuse_too_often(scope, receive, send, wait_s)
                return
            if self.accounts.holds(*given):
                self.failures.give_back(visitor_of(scope))
                await self.app(scope, receive, send)
                return
        await refuse(scope, receive, send, 401, LOG_IN, CHALLENGE)


def _given(header: str) -> tuple[str, str] | None:
    """Return user name and password of an Authorization header, None where there are none."""
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon else None
