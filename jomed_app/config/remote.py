"""A chat server as the reader: where it is, what it is told, and how long it may take."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jomed_app.config.section import Section, Texts


class RemoteReaderConfig(Section):
    """An OpenAI-style server that reads, such as vLLM or llama-server.

    Attributes:
        url: base of its API, such as http://127.0.0.1:8000/v1.
        model: its name on the server.
        server: how it is told which words it may say; vllm_guided is vLLM before 0.12, openai one
            that cannot be told, and scores labels of one token alone.
        hosts: machines, beside this one, that images may be sent to; none by default.
        key_variable: variable of the environment that holds the API key; empty for none.
        proxy: through which the server is reached; empty for none. What the environment says of
            proxies is not read.
        ca_file: certificates that the server's must be signed by; empty for those of the web.
        answer_lead: what the model's chat template puts before an answer: a blank for LLaVA-1.5,
            SmolVLM and Idefics3, nothing for the others.
        seconds: how long one question may take, its retries together.
        retries: further tries of a question after a fault that may pass.
        at_once: questions on their way side by side.
        max_side_px: longer images are shrunk to it before they are sent, px.
        max_passage_chars: longer passages are cut.
    """

    url: str = Field(min_length=1)
    model: str = Field(min_length=1)
    server: Literal["vllm", "vllm_guided", "llama_server", "openai"] = "vllm"
    hosts: Texts = ()
    key_variable: str = ""
    proxy: str = ""
    ca_file: str = ""
    answer_lead: str = ""
    seconds: float = Field(default=45.0, ge=0.1, le=600)  # ours: below app.step_seconds
    retries: int = Field(default=3, ge=0, le=10)
    at_once: int = Field(default=8, ge=1, le=256)
    max_side_px: int = Field(default=448, ge=28, le=4096)  # as a local reader's
    max_passage_chars: int = Field(default=512, ge=1, le=65536)
