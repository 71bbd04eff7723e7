"""A server on this machine that hands out files with ranges, and goes wrong when told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FileServer:
    """Files by path, and faults that are used up one by one.

    Attributes:
        faults: what the next requests meet: a status, or "drop" (half of what is asked for).
        has_ranges: whether a range is honoured.
        tag: version of all files.
        asked: (path, range or "") of every request.
        headers: of every answer, beside the usual.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[int | str] = field(default_factory=list)
    has_ranges: bool = True
    tag: str = '"one"'
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def put_json(self, path: str, value: Any) -> None:
        self.files[path] = json.dumps(value).encode()


class Handler(BaseHTTPRequestHandler):
    served: FileServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        wish = self.headers.get("Range", "")
        self.served.asked.append((self.path, wish))
        fault = self.served.faults.pop(0) if self.served.faults else None
        content = self.served.files.get(self.path)
        if isinstance(fault, int) or content is None:
            self.reply(fault if isinstance(fault, int) else 404, b"", {})
            return
        same = self.headers.get("If-Range", self.served.tag) == self.served.tag
        first = int(wish.removeprefix("bytes=").rstrip("-") or 0) if wish else 0
        if wish and self.served.has_ranges and same:
            if first >= len(content):
                self.reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            span = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self.reply(206, content[first:], {"Content-Range": span}, drop=fault == "drop")
            return
        self.reply(200, content, {}, drop=fault == "drop")

    def reply(self, status: int, body: bytes, headers: dict[str, str], drop: bool = False) -> None:
        self.send_response(status)
        for name, text in {**headers, **self.served.headers}.items():
            self.send_header(name, text)
        if self.served.tag:
            self.send_header("ETag", self.served.tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if drop else body)
        if drop:
            self.wfile.flush()
            self.close_connection = True


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Serve no file until some are put, and end with the block."""
    served = FileServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"served": served}))
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
