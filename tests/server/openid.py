"""An OpenID provider in a thread: what a Space's is to the app, with one account in it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

CLIENT, SECRET = "this-app", "a secret of the tests"


class Provider:
    """Where the provider is, the account it vouches for, and what it was asked."""

    def __init__(self, url: str) -> None:
        from joserfc.jwk import ECKey

        self.url = url
        self.user = "Ann"
        self.nonces: dict[str, str] = {}
        self.client_secrets: list[str] = []
        self._key = ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256", "use": "sig"})

    def consent(self, authorize_url: str) -> str:
        """Return where the visitor's browser is sent to after saying yes."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(authorize_url).query).items()}
        assert asked["client_id"] == CLIENT
        self.nonces["code-1"] = asked["nonce"]
        back = asked["redirect_uri"]
        return f"{back}{'&' if '?' in back else '?'}code=code-1&state={asked['state']}"

    def answer(self, path: str, form: dict[str, str]) -> dict | None:
        from joserfc import jwt

        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.url,
                "authorization_endpoint": self.url + "/authorize",
                "token_endpoint": self.url + "/token",
                "jwks_uri": self.url + "/jwks",
                "userinfo_endpoint": self.url + "/userinfo",
                "id_token_signing_alg_values_supported": ["ES256"],
            }
        if path == "/userinfo":
            return {"sub": "1", "preferred_username": self.user}
        if path == "/jwks":
            return {"keys": [self._key.as_dict(private=False)]}
        if path == "/token" and form.get("code") in self.nonces:
            now = int(time.time())
            claims = {
                "iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600,
                "nonce": self.nonces.pop(form["code"]), "preferred_username": self.user,
            }  # fmt: skip
            signed = jwt.encode({"alg": "ES256", "kid": "k"}, claims, self._key)
            return {
                "access_token": "t", "token_type": "bearer", "expires_in": 600, "id_token": signed,
            }  # fmt: skip
        return None


@contextmanager
def provider() -> Iterator[Provider]:
    """Serve a provider on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if not self.path.startswith("/authorize?"):
                self._answer({})
                return
            self.send_response(302)  # whoever asks has said yes
            self.send_header("Location", here.consent(here.url + self.path))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode())
            kind, _, given = self.headers.get("Authorization", "").partition(" ")
            assert kind == "Basic"
            here.client_secrets.append(base64.b64decode(given).decode())
            self._answer({key: values[0] for key, values in form.items()})

        def _answer(self, form):
            found = here.answer(self.path, form)
            body = json.dumps(found or {"error": "invalid_grant"}).encode()
            self.send_response(200 if found else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Provider(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield here
        server.shutdown()
        thread.join()
