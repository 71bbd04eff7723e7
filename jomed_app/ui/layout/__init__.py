"""The only gradio door: components, events and how they are mounted; decisions are in handlers."""

from jomed_app.ui.layout.mount import attach_login, mount_page
from jomed_app.ui.layout.page import build_ui

__all__ = ["attach_login", "build_ui", "mount_page"]
