"""Names: under which hosts the page may be asked for, and from which origins.

A web page of someone else can make a visitor's browser ask this server, by its address or, after
DNS rebinding, under a name of its own. Such a request carries that page's origin, or that name.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

import psutil
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from jomed_app.server.refusal import refuse

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/version"})  # probes ask by any address
SPACE_HOST = "SPACE_HOST"  # set by a Hugging Face Space: its names, by commas
SPACE_FRAME = "https://huggingface.co"  # shows a Space in a frame
ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # nosec B104  # compared with, not listened on
WRONG_HOST = (
    "The page must be asked for by a name of this server, found another; "
    "add the name to hosts in [app]."
)
WRONG_ORIGIN = (
    "A request must come from this server's own page, found another site's; "
    "add that site to origins in [app]."
)


def space_hosts() -> tuple[str, ...]:
    """Return the names of the Space that the app runs in, none elsewhere."""
    listed = os.environ.get(SPACE_HOST, "").split(",")
    return tuple(name.strip().lower() for name in listed if name.strip())


def allowed_hosts(host: str, configured: Iterable[str] = ()) -> frozenset[str]:
    """Return the host names and addresses under which the page may be asked for, lower case.

    Args:
        host: address that is listened on.
        configured: names beside it.
    """
    names = {"localhost", "127.0.0.1", "::1", *space_hosts()}
    names |= {name.lower().strip("[]") for name in configured}
    if host in ANY_ADDRESS:
        names |= {socket.gethostname().lower(), *_own_addresses()}
    else:
        names.add(host.lower().strip("[]"))
    return frozenset(names)


def _own_addresses() -> set[str]:
    """Return the addresses of this machine's interfaces."""
    families = (socket.AF_INET, socket.AF_INET6)
    return {
        each.address.split("%")[0].lower()
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family in families
    }


class OwnNames:
    """Refuses what is asked for under a foreign host, or from a foreign page.

    Args:
        app: what answers.
        hosts: names without ports, lower case.
        origins: other sites whose pages may ask, such as https://example.org.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], origins: Collection[str] = ()) -> None:
        self.app = app
        self.hosts = frozenset(hosts)
        self.origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        named = [value for value in _named_hosts(headers) if _name(value) not in self.hosts]
        if named or not headers.get("host"):
            await refuse(scope, receive, send, 421, WRONG_HOST)
        elif self._is_foreign(scope, headers):
            await refuse(scope, receive, send, 403, WRONG_ORIGIN)
        else:
            await self.app(scope, receive, send)

    def _is_foreign(self, scope: Scope, headers: Headers) -> bool:
        """Whether another site's page asks; a link to the page itself may stand anywhere."""
        origin = headers.get("origin")
        if origin is not None:
            origin = origin.lower()
            own = {value.lower() for value in _named_hosts(headers)}
            return origin not in self.origins and urlsplit(origin).netloc not in own
        is_sent_by_page = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        return is_sent_by_page and (
            headers.get("sec-fetch-mode") != "navigate" or scope.get("method") != "GET"
        )


def _named_hosts(headers: Headers) -> list[str]:
    """Return the hosts a request names: its own and, behind a trusted proxy, the one before it."""
    found = [headers.get("host", ""), *headers.get("x-forwarded-host", "").split(",")]
    return [value.strip() for value in found if value.strip()]


def _name(value: str) -> str:
    """Return a host without its port; "" for what is none."""
    try:
        return (urlsplit(f"//{value}").hostname or "").lower()
    except ValueError:
        return ""
