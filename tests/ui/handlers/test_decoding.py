"""Decoding for the endpoint: few files of one sender at a time, the rest wait without a thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from jomed_app.ui.handlers.decoding import Decoding

WHO = contextvars.ContextVar("who", default="nobody")


def test_the_files_of_one_sender_leave_threads_to_another():
    begun, go_on, order = threading.Semaphore(0), threading.Event(), []

    def hold(name: str) -> str:
        begun.release()
        assert go_on.wait(30)
        return name

    async def crowd() -> list[str]:
        decoding = Decoding(at_once=3, of_one=2)
        held = [asyncio.create_task(decoding.run("a", hold, f"a{each}")) for each in range(6)]
        await asyncio.to_thread(lambda: [begun.acquire(timeout=30) for _ in range(2)])
        order.append(await decoding.run("b", lambda: "b"))
        assert not begun.acquire(blocking=False), "no third one of the sender's began"
        go_on.set()
        answers = await asyncio.gather(*held)
        assert (decoding._shares, decoding._calls) == ({}, {}), "nobody is remembered"
        return answers

    assert asyncio.run(crowd()) == [f"a{each}" for each in range(6)]
    assert order == ["b"]


def test_a_fault_and_a_call_that_is_left_free_their_place():
    def fail() -> None:
        raise ValueError("no image")

    async def calls() -> str:
        decoding = Decoding(at_once=1, of_one=1)
        for _ in range(3):
            with pytest.raises(ValueError, match="no image"):
                await decoding.run("a", fail)
        gate = threading.Event()
        first = asyncio.create_task(decoding.run("a", gate.wait, 30))
        left = asyncio.create_task(decoding.run("a", gate.wait, 30))
        await asyncio.sleep(0.01)
        left.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert await first
        return await decoding.run("a", lambda: "heard")

    assert asyncio.run(calls()) == "heard"


def test_the_callers_context_goes_along():
    async def call() -> str:
        WHO.set("this case")
        return await Decoding().run("a", WHO.get)

    assert asyncio.run(call()) == "this case"
