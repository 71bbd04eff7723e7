import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from jomed_app.errors import (
    DecoderFaultError,
    DecodingEndedError,
    DicomError,
    ImageError,
    record_incident,
)
from jomed_app.imaging import read_image
from jomed_app.imaging.decoder import DecodeLimits, DecoderPool
from jomed_app.imaging.decoder import pool as pool_module
from jomed_app.imaging.decoder.messages import MessageError, pack_record, unpack_record
from tests.imaging.datasets import dicom_bytes, gradient, raster_bytes
from tests.imaging.decoder.hostile import HOSTILE, PLANTED

LIMITS = DecodeLimits(seconds=1.5, memory_mb=512)
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kept on Linux only")
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def pool():
    with DecoderPool(reader=HOSTILE, limits=LIMITS) as opened:
        opened.read_image(b"small")
        yield opened


def test_a_worker_gives_the_same_record():
    files = [
        dicom_bytes(gradient(), Modality="US", WindowCenter="10", WindowWidth="20"),
        raster_bytes(Image.fromarray(gradient(dtype=np.uint8, top=255)), "PNG"),
        raster_bytes(Image.effect_noise((80, 70), 50).convert("RGB"), "JPEG"),
    ]
    with DecoderPool() as opened:
        for data in files:
            apart, here = opened.read_image(data), read_image(data)
            assert (apart.info, apart.metadata, apart.windows) == (
                here.info,
                here.metadata,
                here.windows,
            )
            np.testing.assert_array_equal(apart.model_input, here.model_input)
            if here.modality_values is None:
                assert apart.modality_values is None
            else:
                np.testing.assert_array_equal(apart.modality_values, here.modality_values)
            assert not apart.model_input.flags.writeable
        with pytest.raises(DicomError, match="frame must be from 0 to 0, found 7;"):
            opened.read_image(files[0], frame=7)
        with pytest.raises(ImageError, match="found 1180591620717411303424"):
            opened.read_image(files[1], frame=2**70)
        for source in (b"GIF89a" + bytes(99), b"", Path("none.png")):
            with pytest.raises(ImageError) as here:
                read_image(source)
            with pytest.raises(ImageError) as apart:
                opened.read_image(source)
            assert (type(apart.value), str(apart.value)) == (type(here.value), str(here.value))
        assert opened.health().alive == 1  # one at a time needs no second


@pytest.mark.parametrize("word", [b"hang", b"hold"])
def test_a_file_that_hangs_is_ended_and_its_worker_replaced(pool, word):
    before, began = pool.health(), time.monotonic()
    with pytest.raises(DecodingEndedError, match=r"must decode within 1\.5 s, found one that take"):
        pool.read_image(word)
    assert 1.4 < time.monotonic() - began < 6
    assert pool.read_image(b"small").info.rows == 64
    after = pool.health()
    assert (after.killed, after.crashed) == (before.killed + 1, before.crashed)
    assert after.busy_s == ()


@ON_LINUX
def test_a_long_decode_lets_others_go_first_and_its_worker_is_replaced():
    before = workers_of(os.getpid())
    with DecoderPool(reader=HOSTILE, limits=DecodeLimits(seconds=60)) as opened:
        opened.read_image(b"small")
        (slow,) = set(workers_of(os.getpid())) - set(before)
        spent = sum(slow.cpu_times()[:2])  # user and system
        long = started(opened.read_image, f"work {spent + 1.5}".encode())
        wait_until(lambda: slow.nice() == 19)
        assert sum(slow.cpu_times()[:2]) - spent > 0.9
        assert os.getsid(slow.pid) == os.getsid(0), "else Linux may not compare priorities"
        assert os.getpgid(slow.pid) == slow.pid, "else it hears Ctrl-C"
        long.join(timeout=60)
        gone, _ = psutil.wait_procs([slow], timeout=10)
        assert (len(gone), opened.health().crashed) == (1, 0)
        assert opened.read_image(b"small").info.rows == 64
        (quick,) = set(workers_of(os.getpid())) - set(before)
        assert quick.nice() < 19


def test_time_that_others_take_does_not_count(pool):
    killed = pool.health().killed
    assert pool.read_image(b"sleep 1.8").info.rows == 64  # of 1.5 s
    began = time.monotonic()
    with pytest.raises(DecodingEndedError, match=r"must decode within 1\.5 s"):
        pool.read_image(b"sleep 60")
    assert 4.4 < time.monotonic() - began < 10
    assert pool.health().killed == killed + 1


def test_others_are_answered_while_a_file_hangs():
    with DecoderPool(reader=HOSTILE, limits=DecodeLimits(seconds=60)) as opened:
        both = [threading.Thread(target=opened.read_image, args=(b"sleep 0.5",)) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        hanging = start_hanging(opened)
        for _ in range(5):
            began = time.monotonic()
            opened.read_image(b"small")
            assert time.monotonic() - began < 2
        assert len(opened.health().busy_s) == 1
    hanging.join(timeout=10)
    assert not hanging.is_alive()


def start_hanging(opened, count=1, sender=""):
    """Return a thread whose file hangs a worker of the pool, until that is ended.

    Returns once so many of the pool's workers are at work.
    """

    def hang():
        with pytest.raises(ImageError):
            opened.read_image(b"hang", sender=sender)

    hanging = started(hang)
    wait_until(lambda: len(opened.health().busy_s) == count)
    return hanging


def started(target, *words):
    thread = threading.Thread(target=target, args=words)
    thread.start()
    return thread


def wait_until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def read_refused(opened, sender):
    """Read a small file that finds no decoder."""
    with pytest.raises(DecodingEndedError, match="free decoder is required"):
        opened.read_image(b"small", sender=sender)


def assert_all_end(threads):
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_another_sender_is_answered_while_files_of_one_hang_every_worker():
    with DecoderPool(workers=2, reader=HOSTILE, limits=DecodeLimits(seconds=300)) as opened:
        crowd = [start_hanging(opened, count, sender="a") for count in (1, 2)]
        crowd.append(started(read_refused, opened, "a"))
        wait_until(lambda: opened.health().waiting == 1)
        for sender in ("b", "c", "b"):
            assert opened.read_image(b"small", sender=sender).info.rows == 64
        health = opened.health()
        assert (len(health.busy_s), health.alive, health.waiting) == (2, 3, 1)
        crowd.append(start_hanging(opened, 3, sender="b"))
        crowd.append(started(read_refused, opened, "c"))
        wait_until(lambda: opened.health().waiting == 2)
        assert opened.health().wanted == 3, "there is no fourth for anyone"
    assert_all_end(crowd)


def test_a_worker_that_becomes_free_goes_to_whoever_has_none(tmp_path):
    answered, ends = [], [tmp_path / "first", tmp_path / "second"]

    def read(sender, word):
        opened.read_image(word, sender=sender)
        answered.append(sender)

    with DecoderPool(workers=2, reader=HOSTILE, limits=DecodeLimits(seconds=300)) as opened:
        crowd = [started(read, "a", f"until {end}".encode()) for end in ends]
        wait_until(lambda: len(opened.health().busy_s) == 2)
        crowd.append(start_hanging(opened, 3, "b"))
        for count, sender in enumerate("aac", 1):
            crowd.append(started(read, sender, b"small"))
            wait_until(lambda: opened.health().waiting == count)  # noqa: B023 (used at once)
        ends[0].touch()
        wait_until(lambda: len(answered) == 2)
        assert (answered, opened.health().waiting) == (["a", "c"], 2)  # one is left for another
        ends[1].touch()
        wait_until(lambda: len(answered) == 5)
    assert_all_end(crowd)


def test_one_sender_has_few_files_that_wait(monkeypatch):
    monkeypatch.setattr(pool_module, "MOST_WAITING", 1)
    with DecoderPool(workers=2, reader=HOSTILE, limits=DecodeLimits(seconds=300)) as opened:
        crowd = [start_hanging(opened, count, sender="a") for count in (1, 2)]
        crowd.append(started(read_refused, opened, "a"))
        wait_until(lambda: opened.health().waiting == 1)
        read_refused(opened, "a")  # at once, while the one before waits on
        assert opened.health().waiting == 1
        assert opened.read_image(b"small", sender="b").info.rows == 64
    assert_all_end(crowd)


def test_those_without_a_name_share_the_workers_alone():
    with DecoderPool(workers=2, reader=HOSTILE, limits=DecodeLimits(seconds=300)) as opened:
        crowd = [start_hanging(opened, count) for count in (1, 2)]
        crowd.append(started(read_refused, opened, ""))
        wait_until(lambda: opened.health().waiting == 1)
        assert (opened.health().alive, opened.health().wanted) == (2, 2)
    assert_all_end(crowd)


def test_health_tells_how_long_a_decode_runs(pool):
    sleeping = threading.Thread(target=pool.read_image, args=(b"sleep 0.6",))
    sleeping.start()
    longest = 0.0
    while sleeping.is_alive():
        busy = pool.health().busy_s
        longest = max([longest, *busy])
        time.sleep(0.02)
    assert 0.3 < longest < 1.5
    assert pool.health().busy_s == ()
    assert pool.health().alive >= 1


@ON_LINUX
def test_a_file_that_wants_memory_is_refused(pool):
    for _ in range(2):
        with pytest.raises(DecodingEndedError, match="must decode within 512 MiB"):
            pool.read_image(b"memory 700")
    assert pool.read_image(b"small").info.rows == 64


@pytest.mark.parametrize("word", [b"crash", b"exit"])
def test_a_file_that_ends_its_decoder_is_refused(pool, word):
    crashed = pool.health().crashed
    with pytest.raises(DecodingEndedError, match="without harm to its decoder, found one that"):
        pool.read_image(word)
    assert pool.read_image(b"small").info.rows == 64
    assert pool.health().crashed == crashed + 1


def test_a_fault_of_ours_keeps_its_places_and_loses_its_message(pool, caplog):
    with pytest.raises(DecoderFaultError) as caught:
        pool.read_image(b"fault")
    incident = record_incident(caught.value)
    assert f"incident {incident}" in caplog.text
    assert "builtins.RuntimeError" in caplog.text
    assert "read_hostile" in caplog.text
    assert PLANTED not in caplog.text + str(caught.value)


def test_a_worker_has_neither_network_nor_programs_nor_files_to_write(pool, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for word in (f"socket {port}", "program", f"write {tmp_path / 'x'}"):
            with pytest.raises(DecoderFaultError) as caught:
                pool.read_image(word.encode())
            assert "builtins.PermissionError" in caught.value.places
    assert not (tmp_path / "x").exists()
    assert "audit hook" in pool.health().in_force


@ON_LINUX
def test_limits_of_the_system_are_in_force(pool):
    expected = {"RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_FSIZE", "ends with its parent"}
    assert expected <= set(pool.health().in_force)


def test_what_a_decoder_prints_is_no_answer(pool):
    assert pool.read_image(b"print").info.rows == 64


def test_a_worker_that_lies_is_ended(pool):
    with pytest.raises(DecodingEndedError, match="without harm to its decoder"):
        pool.read_image(b"lie")
    assert pool.read_image(b"small").info.rows == 64


def test_the_environment_is_not_handed_over(monkeypatch):
    monkeypatch.setenv("JOMED_SECRET", "s3cret")
    before = workers_of(os.getpid())
    with DecoderPool() as opened:
        opened.read_image(dicom_bytes(gradient()))
        (child,) = set(workers_of(os.getpid())) - set(before)
        assert "JOMED_SECRET" not in child.environ()


def test_a_closed_pool_leaves_no_process_and_refuses():
    before = workers_of(os.getpid())
    opened = DecoderPool(reader=HOSTILE, limits=DecodeLimits(seconds=60))
    opened.read_image(b"small")
    children = list(set(workers_of(os.getpid())) - set(before))
    assert len(children) == 1
    hanging = start_hanging(opened)
    opened.close()
    hanging.join(timeout=10)
    assert not hanging.is_alive()
    with pytest.raises(DecodingEndedError, match="free decoder is required"):
        opened.read_image(b"small")
    gone, left = psutil.wait_procs(children, timeout=10)
    assert (len(gone), left) == (len(children), [])


SERVER = f"""
import sys, threading, time
from jomed_app.imaging.decoder import DecodeLimits, DecoderPool
from jomed_app.imaging.decoder import pool as pool_module
from jomed_app.imaging.decoder.messages import MessageError, pack_record, unpack_record
pool = DecoderPool(reader={HOSTILE!r}, limits=DecodeLimits(60))
pool.read_image(b"small")
threading.Thread(target=pool.read_image, args=(b"hold",), daemon=True).start()
while not pool.health().busy_s:
    time.sleep(0.01)
sys.stdout.write("ready\\n"); sys.stdout.flush()
time.sleep(60)
"""


@ON_LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(number):
    parent = subprocess.Popen(
        [sys.executable, "-c", SERVER], cwd=REPOSITORY, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert parent.stdout.readline() == b"ready\n"
    children = psutil.Process(parent.pid).children()
    assert len(children) == 1
    parent.send_signal(number)
    parent.wait(timeout=20)
    parent.stdout.close()
    gone, left = psutil.wait_procs(children, timeout=10)
    assert (len(gone), left) == (1, [])


def workers_of(pid):
    return [
        child
        for child in psutil.Process(pid).children()
        if "jomed_app.imaging.decoder.worker" in child.cmdline()
    ]


def test_the_channels_of_a_gray_image_travel_once(pool):
    record = pool.read_image(b"small")
    assert record.model_input.strides[2] == 0
    sent = pack_record(record)
    assert sum(len(block) for block in sent[1:]) <= 64 * 64 * 5  # float32 values, one channel


def test_only_values_come_back():
    class Evil:
        def __reduce__(self):
            return print, ("x",)

    for value in (Evil(), os.system, threading.Thread, {"a": 1}):
        block = memoryview(bytearray(pickle.dumps(value)))
        with pytest.raises(MessageError, match="a worker must answer with a record"):
            unpack_record([block])
