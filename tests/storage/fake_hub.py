"""A small Hub on this machine: repositories, commits, large files by LFS, downloads by commit.

It speaks as much of the Hub's HTTP as huggingface_hub 2.4 asks for here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_tests_only"  # of nobody


@dataclass
class Repo:
    """Files by commit, the newest last, and whether it is private."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"0" * 40: {}})

    @property
    def newest(self) -> str:
        return list(self.commits)[-1]


@dataclass
class FakeHub:
    """Repositories by name, large files by hash, every request, and what is to go wrong.

    Attributes:
        broken: part of a path -> status that is answered in place of what was asked for.
    """

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)

    def files(self, repo: str) -> dict[str, bytes]:
        return self.repos[repo].commits[self.repos[repo].newest]

    def fetched(self) -> list[str]:
        return [path.split("/")[-1] for method, path in self.asked
                if method == "GET" and "/resolve/" in path]  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def answer(self, value: Any = None, status: int = 200, **headers: str) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value or {}).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        if not (self.command == "HEAD" and "Content_Length" in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        self.handle_one()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def handle_one(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.sent = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.sent += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        path = self.path.split("?")[0]
        self.hub.asked.append((self.command, path))
        for part, status in self.hub.broken.items():
            if part in path:
                self.answer({"error": "broken"}, status)
                return
        for pattern, method in ROUTES:
            if found := re.fullmatch(pattern, path):
                method(self, *found.groups())
                return
        self.answer({"error": "not here"}, 404)

    def create(self) -> None:
        wish = json.loads(self.sent)
        name = f"{wish.get('organization') or 'me'}/{wish['name']}"
        if name in self.hub.repos:
            self.answer({"url": f"{self.hub.url}/{name}"}, 409)
            return
        private = wish.get("private", wish.get("visibility") == "private")
        self.hub.repos[name] = Repo(private=bool(private))
        self.answer({"url": f"{self.hub.url}/{name}"})

    def info(self, name: str, revision: str | None = None) -> None:
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and TOKEN not in self.headers.get("Authorization", "")):
            self.answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            return
        sha = repo.newest if revision in (None, "main") else str(revision)
        if sha not in repo.commits:
            self.answer({"error": "no revision"}, 404, X_Error_Code="RevisionNotFound")
            return
        siblings = [{"rfilename": name, "size": len(content)}
                    for name, content in repo.commits[sha].items()]  # fmt: skip
        self.answer(
            {"id": name, "modelId": name, "sha": sha, "private": repo.private,
             "siblings": siblings, "tags": [], "downloads": 0, "likes": 0}
        )  # fmt: skip

    def preupload(self, name: str) -> None:
        listed = json.loads(self.sent)["files"]
        modes = [
            {"path": each["path"], "shouldIgnore": False,
             "uploadMode": "lfs" if each["path"].endswith(".safetensors") else "regular"}
            for each in listed
        ]  # fmt: skip
        self.answer({"files": modes})

    def batch(self, name: str) -> None:
        objects = []
        for each in json.loads(self.sent)["objects"]:
            link = {"upload": {"href": f"{self.hub.url}/large/{each['oid']}"}}
            new = each["oid"] not in self.hub.large
            objects.append(dict(each) | ({"actions": link} if new else {}))
        self.answer({"transfer": "basic", "objects": objects})

    def put_large(self, oid: str) -> None:
        assert hashlib.sha256(self.sent).hexdigest() == oid
        self.hub.large[oid] = self.sent
        self.answer()

    def commit(self, name: str) -> None:
        repo = self.hub.repos[name]
        files = dict(self.hub.files(name))
        for line in self.sent.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        sha = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        repo.commits[sha] = files
        url = f"{self.hub.url}/{name}/commit/{sha}"
        self.answer({"success": True, "commitOid": sha, "commitUrl": url})

    def resolve(self, name: str, revision: str, file: str) -> None:
        content = self.hub.repos[name].commits[revision].get(file)
        if content is None:
            self.answer({"error": "no entry"}, 404, X_Error_Code="EntryNotFound")
            return
        etag = hashlib.sha256(content).hexdigest()
        self.answer(content, 200, X_Repo_Commit=revision, ETag=f'"{etag}"')


ROUTES = (
    (r"/api/repos/create", Handler.create),
    (r"/api/models/([^/]+/[^/]+)/revision/(.+)", Handler.info),
    (r"/api/models/([^/]+/[^/]+)", Handler.info),
    (r"/api/datasets/([^/]+/[^/]+)/revision/(.+)", Handler.info),
    (r"/api/datasets/([^/]+/[^/]+)", Handler.info),
    (r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", Handler.resolve),
    (r"/api/models/([^/]+/[^/]+)/preupload/main", Handler.preupload),
    (r"/api/models/([^/]+/[^/]+)/commit/main", Handler.commit),
    (r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", Handler.batch),
    (r"/large/([0-9a-f]+)", Handler.put_large),
    (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", Handler.resolve),
)


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Serve an empty Hub until the block ends."""
    hub = FakeHub()
    handler = type("Bound", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
