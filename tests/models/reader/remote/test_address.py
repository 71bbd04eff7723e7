from __future__ import annotations

import pytest

from jomed_app.errors import ConfigError
from jomed_app.models.reader.remote.address import allowed_address, is_this_machine


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_the_loopback_is_this_machine(name):
    assert is_this_machine(name)


@pytest.mark.parametrize(
    "name",
    ["0.0.0.0", "127.0.0.1.example.org", "10.0.0.1", "localhost.example.org", "", "2130706433"],
)
def test_nothing_else_is(name):
    assert not is_this_machine(name)


def test_images_stay_here_by_default():
    found = allowed_address("http://127.0.0.1:8000/v1/", "", ())
    assert (found.url, found.host, found.sent_to) == (
        "http://127.0.0.1:8000/v1",
        "127.0.0.1:8000",
        "",
    )


def test_another_machine_must_be_named():
    with pytest.raises(ConfigError, match=r"reader\.hosts must name 'gpu\.example\.org'"):
        allowed_address("https://gpu.example.org/v1", "", ("other.example.org",))
    found = allowed_address("https://GPU.example.org/v1", "", ("gpu.EXAMPLE.org",))
    assert found.sent_to == "gpu.example.org"


def test_what_is_not_encrypted_says_so():
    found = allowed_address("http://10.0.0.1:8000/v1", "", ("10.0.0.1",))
    assert found.sent_to == "10.0.0.1 (unencrypted)"


def test_a_proxy_receives_images_too():
    with pytest.raises(ConfigError, match=r"must name 'proxy\.example\.org'"):
        allowed_address("http://127.0.0.1/v1", "http://proxy.example.org:3128", ())
    found = allowed_address(
        "https://a.example.org/v1", "http://b.example.org", ("a.example.org", "b.example.org")
    )
    assert found.sent_to == "a.example.org by way of b.example.org"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://127.0.0.1",
        "http://",
        "file:///etc/passwd",
        "http://[::1",
        "http://a:99999999/",
    ],
)
def test_what_is_no_address_is_one_sentence(url):
    with pytest.raises(ConfigError, match="must be an address"):
        allowed_address(url, "", ())


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1/v1", "http://127.0.0.1/v1?key=secret"])
def test_a_secret_in_an_address_is_refused_and_not_shown(url):
    with pytest.raises(ConfigError, match="neither a user nor a query") as caught:
        allowed_address(url, "", ())
    assert "secret" not in str(caught.value)
