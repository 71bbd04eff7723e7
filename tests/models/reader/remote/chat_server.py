"""A small chat server of the tests' own: a table or a model behind it, and faults on request."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Token = tuple[str, float]
Scores = Callable[[Sequence[Any], Sequence[str]], list[Token]]
"""Messages, and texts of tokens said so far -> what may follow, likeliest first, nats."""

END = "<|im_end|>"


@dataclass
class ChatServer:
    """What a server does, and what it was asked.

    Attributes:
        tokens: text -> its tokens.
        scores: what may follow.
        faults: answers given before any other, in order: status, headers, body.
        gives_log_probs: or leaves them out in silence.
        counts_constraint: gives log-probabilities after what must be said is known.
        dialect: what it understands; another's fields are ignored, as servers do.
    """

    tokens: Callable[[str], list[str]]
    scores: Scores
    model: str = "tiny"
    dialect: str = "vllm"
    gives_log_probs: bool = True
    counts_constraint: bool = False
    faults: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        messages = body["messages"]
        said: list[dict[str, Any]] = []
        told: dict[str, Any] = {}
        if messages[-1]["role"] == "assistant":
            assert self.dialect != "llama_server", "it knows nothing of a prompt's tokens"
            tokens = self.tokens(messages[-1]["content"])
            tokens += [] if body["continue_final_message"] else [END, "\n"]
            prompt: list[Any] = [None, {"7": {"logprob": -3.0, "decoded_token": "Query"}}]
            for place, token in enumerate(tokens):
                follow = self.scores(messages[:-1], tokens[:place])
                own = dict(follow).get(token, -9999.0)
                best, log_prob = follow[0]
                entry = {"1": {"logprob": own, "decoded_token": token}}
                prompt.append(entry | {"2": {"logprob": log_prob, "decoded_token": best}})
            told = {"prompt_logprobs": prompt} if self.gives_log_probs else {}
            text = ""
        else:
            text, said = self._say(body)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        if body.get("logprobs") and self.gives_log_probs:
            choice["logprobs"] = {"content": said}
        return {"object": "chat.completion", "model": body["model"], "choices": [choice], **told}

    def choices(self, body: dict[str, Any]) -> list[str]:
        if self.dialect == "llama_server":
            words = body.get("grammar", "").removeprefix("root ::= ")
            return [json.loads(word) for word in words.split(" | ")] if words else []
        if self.dialect == "vllm_guided":
            return body.get("guided_choice", [])
        return body.get("structured_outputs", {}).get("choice", [])

    def _say(self, body: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        allowed = [[*self.tokens(text), END] for text in self.choices(body)]
        said: list[str] = []
        entries = []
        for place in range(body["max_tokens"]):
            follow = self.scores(body["messages"], said)
            may = {each[place] for each in allowed if each[:place] == said and len(each) > place}
            token, log_prob = next(
                (each for each in follow if not may or each[0] in may), (min(may or "x"), -50.0)
            )
            if self.counts_constraint and len(may) == 1:
                log_prob = 0.0
            top = follow[: body.get("top_logprobs", 0)]
            entry = {"token": token, "logprob": log_prob}
            entries.append(entry | {"top_logprobs": [{"token": t, "logprob": p} for t, p in top]})
            said.append(token)
            if token == END:
                break
        return "".join(token for token in said if token != END), entries


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: ChatServer

    def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked may have left
            self.wfile.write(content)

    def _send_json(self, value: Any) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def do_GET(self) -> None:
        self._send_json({"object": "list", "data": [{"id": self.state.model}]})

    def do_POST(self) -> None:
        state = self.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with state._lock:
            state.asked.append(body)
            state.headers.append(dict(self.headers))
            state.connections.add(self.client_address)
            fault = state.faults.pop(0) if state.faults else None
        if fault is not None:
            self._send(*fault)
        elif body["model"] != state.model:
            self._send(404, {}, b'{"error": {"message": "secret words of the server"}}')
        else:
            self._send_json(state.answer(body))

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(state: ChatServer) -> Iterator[ChatServer]:
    """Run a server on this machine."""
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
