"""What Gradio would remember of a session, and must not: the values that were last shown.

Gradio keeps the last value of every component for each of its sessions, pictures and results among
them, until many newer sessions have come. It needs them for its deep links alone, which are closed
(`server.privacy.routes`).
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.state_holder import SessionState, StateHolder


class _ShownNotKept(SessionState):
    """A session that does not keep what it has shown."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Keep nothing."""


class ForgetfulStates(StateHolder):
    """The sessions of an app, none of which keeps what it has shown."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __getitem__(self, session_id: str) -> SessionState:
        """Return a session; a new one for an id that is not known."""
        if session_id not in self.session_data:
            self.session_data[session_id] = _ShownNotKept(self.blocks)
        return super().__getitem__(session_id)


def make_forgetful(page: Any, blocks: gr.Blocks) -> None:
    """Give an app sessions that keep nothing shown.

    Args:
        page: the Gradio app that serves the blocks.
        blocks: from `build_ui`.
    """
    page.state_holder = ForgetfulStates()
    page.state_holder.set_blocks(blocks)


def forget_session(blocks: gr.Blocks, session: str) -> None:
    """Drop what Gradio holds for a session: its state, and messages that nobody fetched."""
    states: StateHolder = blocks.state_holder
    states.session_data.pop(session, None)
    states.time_last_used.pop(session, None)
    blocks._queue.pending_messages_per_session.pop(session, None)
    blocks.pending_diff_streams.pop(session, None)
    blocks.pending_streams.pop(session, None)


def keep_paths(component: gr.File) -> None:
    """Leave the paths that clients send to a component as they are.

    Gradio would note each for later removal, and fetch one that is an address on another machine.
    """

    async def as_sent(path: str) -> str:
        return path

    component.async_move_resource_to_block_cache = as_sent  # type: ignore[assignment, method-assign]
