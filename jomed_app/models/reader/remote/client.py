"""Asks a chat server: within a time, several at once, over connections that are kept."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import weakref
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from jomed_app.errors import ConfigError, RemoteError
from jomed_app.models.reader.remote.address import Address
from jomed_app.models.reader.remote.patience import MAY_PASS, Breaker, wait_before

MOST_BYTES = 16 * 2**20  # ours: log-probabilities of a prompt of some 10,000 tokens
CONNECT_S = 5.0
MISSING = 404
NOT_ALLOWED = (401, 403)
TOO_LARGE = 413

T = TypeVar("T")


class _PassingError(Exception):
    """A fault that another try may mend: what happened, and what the server says of when."""

    def __init__(self, found: str, retry_after: str | None = None) -> None:
        super().__init__(found)
        self.found = found
        self.retry_after = retry_after


class _UnansweredError(RemoteError):
    """A question was not answered, its retries together."""


class ChatClient:
    """Asks one server. Threads may share it; nothing that the server writes is ever shown.

    Redirects are refused, and what the environment says of proxies, certificates and passwords is
    not read. `close` ends its connections; so does the last reference to it.

    Args:
        address: of the server.
        key: API key; empty for none.
        ca_file: certificates to trust; empty for those of the web.
        seconds: for one question, its retries together.
        retries: further tries of a question.
        at_once: questions on their way side by side.

    Raises:
        ConfigError: if there are no certificates in `ca_file`.
    """

    def __init__(
        self,
        address: Address,
        *,
        key: str = "",
        ca_file: str = "",
        seconds: float = 45.0,
        retries: int = 3,
        at_once: int = 8,
    ) -> None:
        self.address = address
        self._seconds = seconds
        self._retries = retries
        self._room = asyncio.Semaphore(at_once)
        self._breaker = Breaker()
        headers = {"Accept-Encoding": "identity"}  # a small answer must not unfold to a huge one
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx.AsyncClient(
            headers=headers,
            verify=_certificates(ca_file),
            proxy=address.proxy or None,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once),
        )
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, name="chat-client", daemon=True)
        thread.start()
        self.close = weakref.finalize(self, _close, self._http, self._loop, thread)

    def ask_all(self, bodies: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Ask for chat completions, in order; the first that fails ends the others.

        Returns:
            What the server answered, as JSON.

        Raises:
            RemoteError: one sentence, if a question is not answered.
        """
        return self._run(self._guarded(self._all(bodies)))

    def get(self, path: str) -> Any:
        """Return what the server says at a path of its API, as JSON.

        Raises:
            RemoteError: one sentence, if it says nothing.
        """
        return self._run(self._guarded(self._ask("GET", path, None)))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        """Ask all questions of a call, or none while the server rests."""
        if (rest := self._breaker.rest()) > 0:
            work.close()
            raise self._error(f"failed several times in a row and is left alone for {rest:.0f} s")
        try:
            answer = await work
        except _UnansweredError:
            self._breaker.failed()
            raise
        except RemoteError:
            self._breaker.worked()  # it is there, and refuses
            raise
        self._breaker.worked()
        return answer

    async def _all(self, bodies: Sequence[Mapping[str, Any]]) -> list[Any]:
        try:
            async with asyncio.TaskGroup() as group:
                asked = [
                    group.create_task(self._ask("POST", "/chat/completions", body))
                    for body in bodies
                ]
        except* RemoteError as errors:
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            failure = first
        else:
            return [each.result() for each in asked]
        raise failure

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        async with self._room:
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._patiently(method, path, body)
            except _PassingError as error:
                found = error.found
            except TimeoutError:
                found = (
                    f"did not answer within {self._seconds:g} s; raise reader.seconds if it is slow"
                )
            raise _UnansweredError(self._sentence(found))

    async def _patiently(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        begun = self._loop.time()
        for attempt in range(1, self._retries + 2):
            try:
                return await self._once(method, path, body)
            except _PassingError as error:
                wait = wait_before(attempt, error.retry_after)
                left = self._seconds - (self._loop.time() - begun)
                if attempt > self._retries:
                    raise
                if wait >= left:
                    asks = f", and asks for {wait:.0f} s of patience" if error.retry_after else ""
                    raise _PassingError(error.found + asks) from None
            await asyncio.sleep(wait)
        raise AssertionError("the last try has returned or raised")

    async def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            async with self._http.stream(method, self.address.url + path, json=body) as response:
                self._check(response)
                return self._json(await self._content(response))
        except httpx.ConnectError as error:
            raise _PassingError("cannot be reached; start it, or mend reader.url") from error
        except httpx.TransportError as error:
            raise _PassingError("broke off before its answer was whole") from error

    def _check(self, response: httpx.Response) -> None:
        """Let a status of success pass."""
        status = response.status_code
        if status in MAY_PASS:
            raise _PassingError(
                f"answered with HTTP status {status}", response.headers.get("Retry-After")
            )
        if response.is_redirect:
            raise self._error("points to another address, which is not followed; mend reader.url")
        if status in NOT_ALLOWED:
            raise self._error(
                f"refused the API key (HTTP status {status}); mend the variable that "
                "reader.key_variable names"
            )
        if status == MISSING:
            raise self._error("knows no such model or address; mend reader.model or reader.url")
        if status == TOO_LARGE:
            raise self._error("takes no image as large; lower reader.max_side_px")
        if not response.is_success:
            raise self._error(
                f"refused the question (HTTP status {status}); its own log says why. It must take "
                "two images a question and the options of reader.server"
            )
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._error("packed its answer although it was asked not to")

    async def _content(self, response: httpx.Response) -> bytes:
        held = bytearray()
        async for chunk in response.aiter_raw():
            held += chunk
            if len(held) > MOST_BYTES:
                raise self._error(f"answered with more than {MOST_BYTES // 2**20} MiB; not read")
        return bytes(held)

    def _json(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise self._error("answered with what is not JSON; mend reader.url") from None

    def _error(self, found: str) -> RemoteError:
        return RemoteError(self._sentence(found))

    def _sentence(self, found: str) -> str:
        return f"the server that reads, {self.address.host}, {found}"


def _close(
    http: httpx.AsyncClient, loop: asyncio.AbstractEventLoop, thread: threading.Thread
) -> None:
    """Close the connections, and end the thread that held them."""
    asyncio.run_coroutine_threadsafe(http.aclose(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def _certificates(ca_file: str) -> ssl.SSLContext | bool:
    """What a server's certificate must be signed by."""
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(
            "reader.ca_file must be a file of certificates (PEM), found none in it"
        ) from error
