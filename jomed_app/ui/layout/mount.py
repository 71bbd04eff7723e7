"""How the page becomes part of a web app: nothing shared, nothing kept, nothing sent."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr

from jomed_app.config import AppConfig
from jomed_app.errors import ConfigError
from jomed_app.ui.gradio_memory import make_forgetful
from jomed_app.ui.session import MAX_SESSIONS

ROOT = Path(__file__).resolve().parents[3]
NEVER_SERVED = (ROOT / "assets", ROOT / "index", ROOT / "jomed_app")
STYLES = (
    "page.css", "answer.css", "viewer.css", "panes.css", "tools.css", "study.css",
    "feedback.css", "worklist.css", "print.css",
)  # fmt: skip
FIRST_COLOR = "#0a0d11"  # behind the page until its style has arrived: dark as the page itself


def mount_page(
    shell: Any, blocks: gr.Blocks, settings: AppConfig | None = None
) -> Callable[[], None]:
    """Put the page into an app at its root.

    Args:
        shell: a FastAPI app.
        blocks: from `build_ui`.
        settings: largest upload; the defaults when None.

    Returns:
        Ends the streams that would last as long as their visitors' tabs.
    """
    settings = settings or AppConfig()
    static = files("jomed_app.ui") / "static"
    blocks.state_session_capacity = MAX_SESSIONS
    blocks.has_launched = True  # or Gradio takes a file of any path as uploaded
    gr.mount_gradio_app(
        shell,
        blocks,
        path="/",
        show_error=False,
        max_file_size=f"{settings.max_file_mb}mb",
        allowed_paths=[],
        blocked_paths=[str(path) for path in NEVER_SERVED],
        run_history=False,
        enable_monitoring=False,
        footer_links=[],  # settings: a drawer that records the screen
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        theme=_theme(),
        css_paths=[str(static / name) for name in STYLES],
    )
    page = shell.routes[-1].app
    make_forgetful(page, blocks)

    def end_streams() -> None:
        page.stop_event.set()
        blocks.is_running = False

    return end_streams


def attach_login(shell: Any) -> None:
    """Add Gradio's log-in with a Hugging Face account: its routes, and the signed cookie.

    Raises:
        ConfigError: if the library that speaks OpenID is not installed.
    """
    from gradio.oauth import attach_oauth

    try:
        attach_oauth(shell)
    except ImportError as error:
        raise ConfigError(
            "the log-in with Hugging Face requires authlib and itsdangerous, found one missing; "
            'install them: pip install "gradio[oauth]"'
        ) from error


def _theme() -> gr.themes.Base:
    """Return Gradio's plainest theme with our fonts, dark until our own styles are there."""
    base = gr.themes.Base(font=_font("IBM Plex Sans"), font_mono=_font("IBM Plex Mono"))
    return base.set(body_background_fill=FIRST_COLOR, body_background_fill_dark=FIRST_COLOR)


def _font(name: str) -> list[Any]:
    """Return a font that ships with gradio; its semi-bold file lacks the Latin letters."""
    return [gr.themes.LocalFont(name, weights=(400, 700)), "system-ui", "sans-serif"]
