"""The end of a stream: an event sent meanwhile gets its id once the page has hung up."""

from __future__ import annotations

import asyncio

import pytest
from gradio.server_messages import CloseStreamMessage

from jomed_app.server.privacy.session_secret import SessionSecret
from jomed_app.server.stream_end import END, EVENT_PATH, SESSION, STREAM_PATH, StreamEnd
from tests.server.asking import ask, scope_of

START = {"type": "http.response.start", "status": 200, "headers": []}
DONE = {"type": "http.response.body", "body": b"{}"}
LAST_WORD = {
    "type": "http.response.body",
    "body": b'data: {"msg":"close_stream"}\n\n',
    "more_body": True,
}
LAST = {"type": "http.response.body", "body": b"", "more_body": False}


async def gradio(scope, receive, send) -> None:
    await send(START)
    if scope["path"] == STREAM_PATH:
        await send({**LAST_WORD, "body": b'data: {"msg":"process_completed"}\n\n'})
        await send(LAST_WORD)
        await send(LAST)
    else:
        await send(DONE)


class Conversation:
    """A stream that is ending, events sent meanwhile, and the order of what left the server."""

    def __init__(self, limit_s: float = 30.0) -> None:
        self.layer = StreamEnd(gradio, limit_s)
        self.hung_up = asyncio.Event()
        self.order: list[str] = []

    async def request(self, name: str, path: str, session: str) -> None:
        async def receive():
            await self.hung_up.wait()
            self.order.append("hung up")
            return {"type": "http.disconnect"}

        async def send(message) -> None:
            self.order += [name] if message == DONE else ["end said"] * (message == LAST_WORD)

        await self.layer({**scope_of(path), SESSION: session}, receive, send)

    async def meanwhile(self, *sessions: str) -> list[asyncio.Task]:
        """Start the stream of session "a", and an event each of the sessions after its end."""
        tasks = [asyncio.create_task(self.request("stream", STREAM_PATH, "a"))]
        await asyncio.sleep(0)
        for each in sessions:
            tasks.append(asyncio.create_task(self.request(f"id for {each}", EVENT_PATH, each)))
        for _ in range(5):
            await asyncio.sleep(0)
        return tasks


def test_an_event_sent_at_the_end_gets_its_id_after_the_page_hung_up():
    async def talk() -> list[str]:
        conversation = Conversation()
        tasks = await conversation.meanwhile("a", "b")
        assert conversation.order == ["end said", "id for b"]
        conversation.hung_up.set()
        await asyncio.gather(*tasks)
        await conversation.request("id for a later", EVENT_PATH, "a")
        return conversation.order

    order = asyncio.run(talk())
    assert order == ["end said", "id for b", "hung up", "id for a", "id for a later"]


def test_a_page_that_never_hangs_up_delays_for_the_limit_alone():
    async def talk() -> list[str]:
        conversation = Conversation(limit_s=0.05)
        await asyncio.gather(*await conversation.meanwhile("a"))
        return conversation.order

    assert asyncio.run(talk()) == ["end said", "id for a"]


def test_a_stream_that_breaks_holds_nothing_back():
    async def talk() -> list[str]:
        conversation = Conversation()
        stream, event = await conversation.meanwhile("a")
        stream.cancel()
        await event
        return conversation.order

    assert asyncio.run(talk()) == ["end said", "id for a"]


def test_the_last_word_is_that_of_gradio():
    orjson = pytest.importorskip("orjson")

    assert END in orjson.dumps(CloseStreamMessage().model_dump())


@pytest.mark.parametrize("path", [EVENT_PATH, f"{STREAM_PATH}?session_hash=abc"])
def test_the_session_of_the_scope_is_gradios(path):
    seen: list[str] = []

    async def app(scope, receive, send) -> None:
        seen.append(scope.get(SESSION))
        await send(START)
        await send(DONE)

    layer = SessionSecret(app, key=b"k" * 32)
    if path == EVENT_PATH:
        ask(layer, b'{"session_hash": "abc"}', path=path, method="POST")
    else:
        ask(layer, path=path)
    ask(layer, path="/config?xsession_hash=abc")
    assert seen == [layer.session("abc", ""), None]
