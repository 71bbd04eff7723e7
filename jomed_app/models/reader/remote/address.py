"""Where images go: to this machine, or to one that the operator named, and to none by accident."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from jomed_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """A server that may be asked.

    Attributes:
        url: base of its API, without a slash behind it.
        proxy: through which it is reached; empty for none.
        host: of the server, with its port; what errors name.
        machines: beside this one, that images reach.
        is_open: whether they get there unencrypted.
    """

    url: str
    proxy: str
    host: str
    machines: tuple[str, ...]
    is_open: bool

    @property
    def sent_to(self) -> str:
        """The machines, in words; empty where images stay here."""
        return " by way of ".join(self.machines) + (" (unencrypted)" if self.is_open else "")


def allowed_address(url: str, proxy: str, hosts: Sequence[str]) -> Address:
    """Check a server's address, and a proxy's, against the machines that the operator named.

    Args:
        url: base of the server's API.
        proxy: empty for none.
        hosts: allowed beside this machine; names are compared, not what they resolve to.

    Raises:
        ConfigError: if an address is none, holds a user, or names another machine that is not
            allowed. The message shows no part of an address but its host.
    """
    name, host, scheme = _parts(url, "reader.url")
    far = [] if is_this_machine(name) else [name]
    if proxy:
        through = _parts(proxy, "reader.proxy")[0]
        far += [] if is_this_machine(through) else [through]
    allowed = {each.lower() for each in hosts}
    for each in far:
        if each not in allowed:
            raise ConfigError(
                f"reader.hosts must name '{each}' before images are sent to it, found "
                f"{sorted(allowed)}; add it only if images may leave this machine for it"
            )
    is_open = bool(far) and scheme == "http"
    return Address(url.rstrip("/"), proxy, host, tuple(far), is_open)


def is_this_machine(name: str) -> bool:
    """Whether a host is the loopback of this machine, by its own word and without asking a name."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _parts(url: str, key: str) -> tuple[str, str, str]:
    """Name, name with port, and scheme of an address."""
    try:
        found = urlsplit(url)
        name, port = found.hostname or "", found.port
    except ValueError:
        name, port, found = "", None, urlsplit("")
    if found.scheme not in ("http", "https") or not name or not url.isascii():
        raise ConfigError(
            f"{key} must be an address such as http://127.0.0.1:8000/v1, found none in it"
        )
    if found.username is not None or found.query or found.fragment:
        raise ConfigError(
            f"{key} must hold neither a user nor a query, found one; a key is read from the "
            "variable that reader.key_variable names"
        )
    shown = f"[{name}]" if ":" in name else name
    return name, f"{shown}:{port}" if port else shown, found.scheme
