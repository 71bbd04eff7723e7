"""Who asks: the address of a visitor, behind proxies that are trusted and no others.

X-Forwarded-For is written by whoever sends a request, each proxy adding on the right the address
that it saw. With n trusted proxies the n-th from the right was written by a trusted one.
"""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

FORWARDED = b"x-forwarded-"
UNKNOWN = "unknown"


class Visitor:
    """Puts the visitor's address into the scope; drops forwarding headers nobody vouches for.

    Args:
        app: what answers.
        trusted_proxies: proxies in front of the app that write X-Forwarded-For; 0 believes none.
    """

    def __init__(self, app: ASGIApp, trusted_proxies: int = 0) -> None:
        self.app = app
        self.trusted_proxies = trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if self.trusted_proxies == 0:
            kept = [
                each
                for each in scope["headers"]
                if not each[0].startswith(FORWARDED) and each[0] != b"forwarded"
            ]
            scope = {**scope, "headers": kept}
        elif address := self._before_proxies(Headers(scope=scope)):
            scope = {**scope, "client": (address, 0)}
        await self.app(scope, receive, send)

    def _before_proxies(self, headers: Headers) -> str:
        """Return the address that the outermost trusted proxy saw; "" if it wrote none."""
        listed = ",".join(headers.getlist("x-forwarded-for")).split(",")
        if len(listed) < self.trusted_proxies:
            return ""
        try:
            return str(ipaddress.ip_address(listed[-self.trusted_proxies].strip()))
        except ValueError:
            return ""


def visitor_of(scope: Scope) -> str:
    """Return what stands for a visitor: an address, of IPv6 the network of 64 bits it lies in."""
    client = scope.get("client")
    if not client:
        return UNKNOWN
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return str(client[0])
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
