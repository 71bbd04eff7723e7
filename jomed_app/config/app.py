"""Configuration of the web app: where it listens and what one visitor may take."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jomed_app.config.section import Section, Texts


class StudyConfig(Section):
    """Own read first: what the model says stays hidden until the reader has said it.

    Attributes:
        mode: off, offered by a button, or required of every case.
        skip: whether one click shows everything at once, as for a demonstration.
    """

    mode: Literal["off", "offered", "required"] = "offered"
    skip: bool = True


class FeedbackConfig(Section):
    """What readers say of answers; nothing is asked or kept unless a file is named.

    Attributes:
        file: SQLite file, made where there is none; empty asks for nothing.
        key_file: secret of the hashes that stand for cases, made where there is none; empty puts
            it beside the file, with the ending .key.
    """

    file: str = ""
    key_file: str = ""


class AppConfig(Section):
    """The web app.

    Attributes:
        host: address to listen on; 127.0.0.1 keeps the app on this machine.
        port: TCP port.
        hosts: names under which the page may be asked for, beside this machine's own, `host` and
            those of a Space.
        origins: other sites whose pages may ask this server, such as https://example.org.
        frame_ancestors: sites that may show the page in a frame; in a Space its own site too.
        trusted_proxies: proxies in front of the app whose X-Forwarded headers are believed.
        bundle_public_key: PEM file of the Ed25519 key that must have signed the bundle; empty asks
            for no signature.
        max_file_mb: largest upload, MiB; no file larger than 64 MiB is read anywhere.
        session_minutes: how long a case is kept in memory after it was last touched.
        max_queue: cases waiting at once before a visitor is asked to come back.
        decode_seconds: processor's time that one file may take to decode before its decoder is
            ended; on the clock three times as long, since a long one lets others go first.
        decode_memory_mb: what one file may take to decode, MiB; kept on Linux only.
        decode_workers: processes that decode files of one visitor; while all are at work, one more
            is for other visitors.
        requests_per_minute: changes that one visitor may ask for, a case is three; 0: no limit.
        total_upload_mb: files that may arrive or wait for their case at once, MiB.
        visitor_upload_mb: those of one visitor, MiB.
        upload_seconds: how long one file may take to arrive.
        step_seconds: how long one step of a case may take before /healthz names it as a fault.
        gpu_seconds: how long one case may hold the GPU that a Space lends; read there alone.
        operating_point: what the site wants to be found of 100 positives: 80, 85, 90, 95 or 98;
            said beside the answer where `index calibrate` measured it; 0: nothing is said.
        metrics: whether a monitor may ask at /metrics, in the text format of Prometheus.
        drain_seconds: how long running cases may take once the server is told to stop.
        study: own read first.
        feedback: what readers say of answers.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=1, le=65535)
    hosts: Texts = ()
    origins: Texts = ()
    frame_ancestors: Texts = ()
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    bundle_public_key: str = ""
    max_file_mb: int = Field(default=64, ge=1, le=64)
    session_minutes: int = Field(default=15, ge=1, le=24 * 60)
    max_queue: int = Field(default=20, ge=1)
    decode_seconds: float = Field(default=10.0, ge=0.1, le=600)
    decode_memory_mb: int = Field(default=1024, ge=64)
    decode_workers: int = Field(default=2, ge=2, le=64)
    requests_per_minute: int = Field(default=300, ge=0)  # ours: 20 readers behind one address
    total_upload_mb: int = Field(default=512, ge=1)  # ours: eight files of the largest size
    visitor_upload_mb: int = Field(default=128, ge=1)
    upload_seconds: int = Field(default=120, ge=1)
    step_seconds: int = Field(default=60, ge=1)
    gpu_seconds: int = Field(default=60, ge=1, le=600)  # ours; the default of `spaces.GPU`
    operating_point: int = Field(default=0, ge=0, le=100)
    metrics: bool = False
    drain_seconds: int = Field(default=8, ge=0, le=600)  # ours: Docker kills after 10 s
    study: StudyConfig = StudyConfig()
    feedback: FeedbackConfig = FeedbackConfig()
