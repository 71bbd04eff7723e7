"""Seeds, signals, the network block and the folder of real data, for every test."""

from __future__ import annotations

import ipaddress
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from jomed_app.cli.startup import OFFLINE

REPOSITORY = Path(__file__).resolve().parent.parent

for _name, _value in OFFLINE.items():
    os.environ.setdefault(_name, _value)


settings.register_profile(  # a busy machine is no fault
    "jomed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("jomed")


class NetworkBlockedError(RuntimeError):
    """A test tried to leave this machine."""


_block = {"active": False}
_real = {
    name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto", "sendmsg")
}
_real_getaddrinfo = socket.getaddrinfo


def _is_local(host: object) -> bool:
    """Whether a host is this machine: loopback, the unspecified address or no host at all."""
    if host is None or host in ("", b"", "localhost", b"localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _check(host: object) -> None:
    if _block["active"] and not _is_local(host):
        raise NetworkBlockedError(
            f"tests must stay on this machine, found a connection to {host!r}; mark it `hub`"
        )


def _guarded(name: str, address_of: Any) -> Any:
    def call(self: socket.socket, *args: Any, **kwargs: Any) -> Any:
        address = address_of(args)
        if self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            _check(address[0])
        return _real[name](self, *args, **kwargs)

    return call


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    _check(host)
    return _real_getaddrinfo(host, *args, **kwargs)


def pytest_configure(config: pytest.Config) -> None:
    # A suite started in the background ignores Ctrl-C, and so would every program that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    first, last = (lambda args: args[0]), (lambda args: args[-1])
    for name, address_of in {
        "connect": first,
        "connect_ex": first,
        "sendto": last,
        "sendmsg": lambda args: args[3] if len(args) > 3 else None,
    }.items():
        setattr(socket.socket, name, _guarded(name, address_of))
    socket.getaddrinfo = _guarded_getaddrinfo
    _block["active"] = True


def pytest_unconfigure(config: pytest.Config) -> None:
    for name, function in _real.items():
        setattr(socket.socket, name, function)
    socket.getaddrinfo = _real_getaddrinfo
    _block["active"] = False


@pytest.fixture(autouse=True)
def _hub_tests_may_leave(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("hub") is None:
        yield
        return
    _block["active"] = False
    yield
    _block["active"] = True


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _threads_stay() -> Iterator[None]:
    """The number of threads changes bits: a test that left another one would change later tests."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    if torch is not None:
        left = torch.get_num_threads()
        torch.set_num_threads(before)
        assert left == before, f"a test must leave {before} threads to a product, left {left}"


@pytest.fixture
def log_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line keeps its log in the test's folder and leaves logging as it is."""
    from jomed_app.cli import main as cli

    monkeypatch.setenv("JOMED_LOG_DIR", str(tmp_path / "log"))
    monkeypatch.setattr(cli, "start_log", lambda: None)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a stand-in in the place of a heavy module."""

    def put(module: str, **names: Any) -> None:
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**names))

    return put


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("JOMED_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("real data is not here; set JOMED_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A dozen small simulated cases: folder and records."""
    from tests.tiny_bundle import write_tiny_corpus

    folder = tmp_path_factory.mktemp("tiny_corpus")
    return folder, write_tiny_corpus(folder)


@pytest.fixture(scope="session")
def tiny_bundle(tiny_corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed bundle of tiny random models; read only, copy it before changing a file."""
    from tests.tiny_bundle import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle", *tiny_corpus)


@pytest.fixture(scope="session")
def tiny_index(tiny_corpus: Any, tiny_bundle: Path, tmp_path_factory: Any) -> Path:
    """An index of the dozen cases, built with the tiny bundle; read only."""
    from tests.tiny_bundle import write_tiny_index

    return write_tiny_index(tmp_path_factory.mktemp("tiny") / "index", tiny_bundle, *tiny_corpus)


@pytest.fixture(scope="session")
def tiny_engine(tiny_bundle: Path, tiny_index: Path) -> Any:
    """An engine over both; it holds no case, so tests may share it."""
    from jomed_app.inference.load import load_engine

    return load_engine(tiny_bundle, tiny_index, precision="fp32")


@pytest.fixture(scope="session")
def moved_bundle(tiny_corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with query heads that move queries, and a profile for each search."""
    from tests.tiny_bundle import TINY_CALIBRATION, write_tiny_bundle

    calibration = TINY_CALIBRATION | {"scaling": {"temperature": 2.0, "bias": []}}
    standard = {
        "thresholds": {"k_per_head": 2, "domain_probability": 0.5, "vote_share": 0.5},
        "calibration": calibration | {"error_rates": {}, "standing_errors": {}},
        "measured_on": "40 tiny images by similarity alone",
    }
    return write_tiny_bundle(
        tmp_path_factory.mktemp("moved") / "bundle",
        *tiny_corpus,
        standard=standard,
        has_moved_heads=True,
    )


@pytest.fixture(scope="session")
def moved_engine(moved_bundle: Path, tiny_index: Path) -> Any:
    """An engine over that bundle and the tiny index: two searches."""
    from jomed_app.inference.load import load_engine

    return load_engine(moved_bundle, tiny_index, precision="fp32")


@pytest.fixture(scope="session")
def tiny_real_cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of cases that stand for a real set, with splits."""
    from tests.tiny_run import write_real_cases

    return write_real_cases(tmp_path_factory.mktemp("tiny_real"))


@pytest.fixture(scope="session")
def tiny_run(tiny_real_cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training run: align, reader, two folds, cross-validation; read only."""
    from tests.tiny_run import tiny_config, train_tiny

    return train_tiny(tiny_config(tiny_real_cases), tmp_path_factory.mktemp("tiny_run") / "run")


@pytest.fixture(scope="session")
def tiny_export(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle exported from that run; read only."""
    from jomed_app.training.export import make_bundle

    out = tmp_path_factory.mktemp("tiny_export") / "bundle"
    make_bundle(tiny_run, out, name="tiny-export", version="3")
    return out
