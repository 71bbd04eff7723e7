"""From settings to a reader over a chat server; nothing is asked or sent yet."""

from __future__ import annotations

import logging
import os

from jomed_app.config.remote import RemoteReaderConfig
from jomed_app.errors import ConfigError
from jomed_app.models.reader.remote.address import allowed_address
from jomed_app.models.reader.remote.client import ChatClient
from jomed_app.models.reader.remote.dialects import DIALECTS
from jomed_app.models.reader.remote.reader import RemoteReader

logger = logging.getLogger(__name__)


def load_remote(config: RemoteReaderConfig) -> RemoteReader:
    """Build the reader over the server that the settings name.

    Raises:
        ConfigError: if images would go to a machine that is not allowed, the API key is missing or
            would travel unencrypted, or there are no certificates where they should be.
    """
    address = allowed_address(config.url, config.proxy, config.hosts)
    key = _key(config.key_variable)
    if key and address.is_open:
        raise ConfigError(
            "reader.url must begin with https:// where an API key is sent to another machine, "
            "found http://"
        )
    if address.sent_to:
        logger.warning("images are sent to another machine: %s", address.sent_to)
    client = ChatClient(
        address,
        key=key,
        ca_file=config.ca_file,
        seconds=config.seconds,
        retries=config.retries,
        at_once=config.at_once,
    )
    return RemoteReader(
        client,
        config.model,
        DIALECTS[config.server],
        answer_lead=config.answer_lead,
        max_side=config.max_side_px,
        max_passage=config.max_passage_chars,
    )


def _key(variable: str) -> str:
    """The API key out of the environment; its value is never shown."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise ConfigError(
            "reader.key_variable must name a variable of the environment that holds an API key of "
            f"plain characters, found none in '{variable}'"
        )
    return key
