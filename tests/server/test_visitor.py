"""Who asks: the peer, or behind trusted proxies the address that the outermost of them saw."""

from __future__ import annotations

import pytest

from jomed_app.server.visitor import Visitor, visitor_of
from tests.server.asking import ask, page, scope_of

PEER = ("192.0.2.1", 5)


def seen(trusted: int, forwarded: str | None) -> str:
    inner = page()
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    ask(Visitor(inner, trusted), client=PEER, headers=headers)
    return visitor_of(inner.scopes[0])


@pytest.mark.parametrize(
    ("trusted", "forwarded", "who"),
    [
        (0, None, "192.0.2.1"),
        (0, "198.51.100.9", "192.0.2.1"),  # anyone can write that header
        (1, "198.51.100.9", "198.51.100.9"),
        (1, "203.0.113.1, 198.51.100.9", "198.51.100.9"),  # the left one is the asker's own claim
        (2, "203.0.113.1, 198.51.100.9", "203.0.113.1"),
        (2, "198.51.100.9", "192.0.2.1"),  # fewer than promised: believed to nobody
        (1, "nonsense", "192.0.2.1"),
        (1, None, "192.0.2.1"),
    ],
)
def test_the_address_of_a_visitor(trusted, forwarded, who):
    assert seen(trusted, forwarded) == who


def test_forwarding_headers_are_dropped_unless_a_proxy_is_trusted():
    headers = {"X-Forwarded-Host": "a", "X-Forwarded-Proto": "https", "Forwarded": "x", "Via": "y"}
    for trusted, kept in ((0, {b"host", b"via"}), (1, None)):
        inner = page()
        ask(Visitor(inner, trusted), headers=headers)
        names = {name for name, _ in inner.scopes[0]["headers"]}
        assert names == kept if kept else b"x-forwarded-host" in names


def test_a_network_of_ipv6_is_one_visitor():
    first, second, other = (
        visitor_of(scope_of(client=(address, 1)))
        for address in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1")
    )
    assert first == second != other
    assert visitor_of(scope_of(client=None)) == "unknown"
