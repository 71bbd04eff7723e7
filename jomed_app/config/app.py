"""Configuration of the web app: where it listens and what one visitor may take."""

from __future__ import annotations

from pydantic import Field

from jomed_app.config.section import Section


class AppConfig(Section):
    """The web app.

    Attributes:
        host: address to listen on; 127.0.0.1 keeps the app on this machine.
        port: TCP port.
        max_file_mb: largest upload, MiB; no file larger than 64 MiB is read anywhere.
        session_minutes: how long a case is kept in memory after it was last touched.
        max_queue: cases waiting at once before a visitor is asked to come back.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=1, le=65535)
    max_file_mb: int = Field(default=64, ge=1, le=64)
    session_minutes: int = Field(default=15, ge=1, le=24 * 60)
    max_queue: int = Field(default=20, ge=1)
