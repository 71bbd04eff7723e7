"""The shell: everything that stands between a visitor and the page, in order, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from jomed_app.config import AppConfig
from jomed_app.errors import ConfigError
from jomed_app.server.drain import Drain, Draining
from jomed_app.server.gate.accounts import ACCOUNTS, Accounts, PasswordGate, accounts_of_environment
from jomed_app.server.gate.hugging_face import ROUTES, USERS, HuggingFaceGate, users_of_environment
from jomed_app.server.headers import SecurityHeaders
from jomed_app.server.health import Health
from jomed_app.server.metrics import PATH, CountedRequests, Metrics
from jomed_app.server.names import SPACE_FRAME, OwnNames, allowed_hosts, space_hosts
from jomed_app.server.pages.routes import Pages
from jomed_app.server.privacy.routes import OpenRoutes
from jomed_app.server.privacy.session_secret import SessionSecret
from jomed_app.server.privacy.uploads import Uploads
from jomed_app.server.rates import RateLimit
from jomed_app.server.stream_end import StreamEnd
from jomed_app.server.visitor import Visitor
from jomed_app.ui.uploads import UploadStore


@dataclass(frozen=True)
class Gate:
    """Who is let in: everyone, or who logs in.

    Attributes:
        accounts: those who log in with a password.
        users: those who log in with a Hugging Face account.
    """

    accounts: Accounts | None = None
    users: frozenset[str] | None = None

    def layers(self) -> list[Middleware]:
        """Return the guard at the gate, if there is one."""
        if self.accounts is not None:
            return [Middleware(PasswordGate, accounts=self.accounts)]
        return [] if self.users is None else [Middleware(HuggingFaceGate, users=self.users)]


def gate_of_environment() -> Gate:
    """Return the gate that the environment asks for.

    Raises:
        ConfigError: if it asks for two, or for one that lacks something.
    """
    gate = Gate(accounts_of_environment(), users_of_environment())
    if gate.accounts is not None and gate.users is not None:
        raise ConfigError(f"one way to log in is required, found {ACCOUNTS} and {USERS}; unset one")
    return gate


def build_shell(
    settings: AppConfig,
    health: Health,
    drain: Drain,
    uploads: UploadStore,
    gate: Gate | None = None,
    metrics: Metrics | None = None,
    pages: Pages | None = None,
) -> FastAPI:
    """Return the app that the page is mounted into: the probes, and what guards both.

    Args:
        settings: of the web app.
        health: what the probes answer from.
        drain: told of every request that runs.
        uploads: where files wait for their case.
        gate: who is let in; everyone when None.
        metrics: what a monitor may ask, who passes the gate too; nothing is counted when None.
        pages: beside the reading page; there are none when None.
    """
    beside = pages.routes() if pages else ()
    return FastAPI(
        middleware=layers(settings, drain, uploads, gate or Gate(), metrics),
        routes=[*health.routes(), *(metrics.routes() if metrics else ()), *beside],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )


def layers(
    settings: AppConfig,
    drain: Drain,
    uploads: UploadStore,
    gate: Gate,
    metrics: Metrics | None = None,
) -> list[Middleware]:
    """Return what a request passes, outermost first; a new guard is a line here."""
    opened = (*(ROUTES if gate.users is not None else ()), *((PATH,) if metrics else ()))
    return [
        *([Middleware(CountedRequests, metrics=metrics)] if metrics else ()),
        *outer_layers(settings),
        *gate.layers(),
        # Its presence keeps Gradio from allowing every origin where the host is not localhost.
        Middleware(CORSMiddleware, allow_origins=list(settings.origins), allow_methods=["*"]),
        Middleware(OpenRoutes, opened=opened),
        Middleware(Draining, drain=drain),
        Middleware(SessionSecret),
        Middleware(StreamEnd),
        Middleware(
            Uploads,
            store=uploads,
            max_file_mb=settings.max_file_mb,
            seconds=settings.upload_seconds,
        ),
    ]


def outer_layers(settings: AppConfig) -> list[Middleware]:
    """Return what every request passes first, before the page and while it is being started."""
    is_space = bool(space_hosts())
    ancestors = (*settings.frame_ancestors, *((SPACE_FRAME,) if is_space else ()))
    hosts = allowed_hosts(settings.host, settings.hosts)
    return [
        Middleware(SecurityHeaders, ancestors=ancestors),
        # In a Space a proxy stands in front, and the port is not open beside it.
        Middleware(Visitor, trusted_proxies=max(settings.trusted_proxies, int(is_space))),
        Middleware(OwnNames, hosts=hosts, origins=settings.origins),
        Middleware(RateLimit, per_minute=settings.requests_per_minute),
    ]
