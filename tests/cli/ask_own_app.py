"""Start an app, ask it one case over HTTP, end it: `python -m tests.cli.ask_own_app IMAGE APP...`.

For places that hold nothing but the app and the loopback device. Prints one line of JSON: the
network's devices, how the call ended, the final answer, seconds until the models were loaded.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.ui.page_client import API, diagnose


def main(image: str, *app: str) -> None:
    names = [name for _, name in socket.if_nameindex()]
    began = time.monotonic()
    page = f"http://127.0.0.1:{os.environ['GRADIO_SERVER_PORT']}/"
    with subprocess.Popen([sys.executable, *app], stdout=sys.stderr) as server:
        try:
            with httpx.Client(base_url=page, timeout=120) as http:
                while server.poll() is None:
                    try:
                        if http.get("starting").json()["is_over"]:
                            break
                    except httpx.TransportError:
                        pass
                    time.sleep(0.2)
                seconds = time.monotonic() - began
                data = Path(image).read_bytes()
                (path,) = http.post(API + "upload", files={"files": data}).json()
                name, answer = diagnose(http, path)
        finally:
            server.kill()
    print(json.dumps([names, name, answer[0]["final"], seconds]))


if __name__ == "__main__":
    main(*sys.argv[1:])
