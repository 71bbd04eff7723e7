"""Accounts of the environment, and who is let in."""

from __future__ import annotations

import base64
import gc
import logging

import pytest

from jomed_app.errors import ConfigError
from jomed_app.server.gate import accounts as module
from jomed_app.server.gate.accounts import (
    ACCOUNTS,
    ACCOUNTS_FILE,
    FAILURES_PER_MINUTE,
    LOG_IN,
    Accounts,
    PasswordGate,
    accounts_of_environment,
)
from tests.server.asking import ask, page

SECRET = "correct horse, battery"


@pytest.fixture(autouse=True)
def _no_accounts(monkeypatch):
    for name in (ACCOUNTS, ACCOUNTS_FILE):
        monkeypatch.delenv(name, raising=False)


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def gate():
    return PasswordGate(page(), Accounts([("ann", SECRET), ("bö", "päßwörter")]))


def test_without_a_word_there_is_no_gate():
    assert accounts_of_environment() is None


def test_accounts_come_from_a_variable_that_is_then_taken_away(monkeypatch):
    monkeypatch.setenv(ACCOUNTS, "ann:first:secret, bob:second-secret,")
    accounts = accounts_of_environment()
    assert accounts.holds("ann", "first:secret")
    assert accounts.holds("bob", "second-secret")
    assert not accounts.holds("ann", "second-secret")
    assert accounts_of_environment() is None


def test_accounts_come_from_a_file(monkeypatch, tmp_path):
    file = tmp_path / "accounts"
    file.write_text("ann:with, comma\n\nbob:second-secret\n")
    monkeypatch.setenv(ACCOUNTS_FILE, str(file))
    assert accounts_of_environment().holds("ann", "with, comma")


@pytest.mark.parametrize(
    "listed", ["ann", "ann:", ":password", "ann:short", ",", "a:longenough,b:"]
)
def test_an_account_that_is_none_is_refused_without_being_told(monkeypatch, listed):
    monkeypatch.setenv(ACCOUNTS, listed)
    with pytest.raises(ConfigError, match=r"JOMED_AUTH requires .*found") as refused:
        accounts_of_environment()
    assert "short" not in str(refused.value)
    assert "longenough" not in str(refused.value)


def test_two_sources_or_a_missing_file_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(ACCOUNTS_FILE, str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="readable text file"):
        accounts_of_environment()
    monkeypatch.setenv(ACCOUNTS, f"ann:{SECRET}")
    with pytest.raises(ConfigError, match="found both"):
        accounts_of_environment()


@pytest.mark.parametrize(
    "path", ["/", "/config", "/assets/x.js", "/gradio_api/heartbeat/x", "/login"]
)
def test_nothing_is_shown_to_one_who_is_not_logged_in(gate, path):
    answer = ask(gate, path=path)
    assert (answer.status, answer.sentence) == (401, LOG_IN)
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version"])
def test_probes_are_let_in(gate, path):
    assert ask(gate, path=path).status == 200


def test_who_has_an_account_is_let_in(gate):
    assert ask(gate, headers=basic("ann", SECRET)).status == 200
    assert ask(gate, headers=basic("bö", "päßwörter")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        basic("ann", "päßwörter"),
        basic("ann:correct horse, battery", ""),
        basic("", ""),
        {"Authorization": "Basic ????"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
    ],
)
def test_who_has_none_is_not(gate, headers):
    assert ask(gate, headers=headers).status == 401


def test_guesses_are_slowed_down_and_a_visitor_who_knows_is_not(gate):
    for _ in range(3 * FAILURES_PER_MINUTE):
        assert ask(gate, headers=basic("ann", SECRET)).status == 200
    wrong = [ask(gate, headers=basic("ann", f"guess {number}")).status for number in range(12)]
    assert wrong == [401] * FAILURES_PER_MINUTE + [429] * 2
    assert ask(gate, headers=basic("ann", SECRET)).status == 429  # or guessing would go on
    assert ask(gate, headers=basic("ann", SECRET), client=("192.0.2.8", 1)).status == 200


def test_every_account_is_compared_whichever_fits(monkeypatch):
    """Constant time: the number of comparisons tells nothing of the account."""
    counted = []
    whole = module.hmac.compare_digest
    monkeypatch.setattr(
        module.hmac, "compare_digest", lambda a, b: counted.append(len(a)) or whole(a, b)
    )
    accounts = Accounts([("ann", SECRET), ("bob", "second-secret"), ("cy", "third-secret")])
    for name, password in (("ann", SECRET), ("cy", "third-secret"), ("nobody", "x" * 1000)):
        accounts.holds(name, password)
        assert counted == [32, 32, 32]  # digests of one length, never the words
        counted.clear()


def test_a_password_is_neither_kept_nor_logged(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    password = "".join(("very ", "well ", "hidden ", str(id(caplog))))
    monkeypatch.setenv(ACCOUNTS, f"ann:{password}")
    gate = PasswordGate(page(), accounts_of_environment())
    ask(gate, headers=basic("ann", password))
    ask(gate, headers=basic("ann", password + "x"))
    assert password not in caplog.text
    held = [repr(each) for each in gc.get_referents(vars(gate.accounts))]
    assert password not in " ".join(held)
