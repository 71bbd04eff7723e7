from __future__ import annotations

import os
import socket

import pytest


def test_another_machine_is_refused():
    with socket.socket() as client, pytest.raises(RuntimeError, match="must stay on this machine"):
        client.connect(("192.0.2.1", 80))


def test_a_name_is_not_even_looked_up():
    with pytest.raises(RuntimeError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)


def test_datagrams_are_refused_too():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        pytest.raises(RuntimeError, match="must stay on this machine"),
    ):
        client.sendto(b"x", ("192.0.2.1", 53))


def test_this_machine_is_reachable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(("localhost", server.getsockname()[1]), timeout=5) as client:
            client.sendall(b"ping")
        connection, _ = server.accept()
        with connection:
            assert connection.recv(4) == b"ping"


def test_model_libraries_are_told_to_stay_offline():
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["TRANSFORMERS_OFFLINE"] == "1"
