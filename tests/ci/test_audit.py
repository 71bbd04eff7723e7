"""What pip-audit answers, in words; no answer is a sentence and no failure."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def audit():
    spec = importlib.util.spec_from_file_location("audit", REPOSITORY / ".ci" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAULTY = {
    "dependencies": [
        {"name": "a", "version": "1", "vulns": []},
        {"name": "b", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["2.1", "3"]}]},
        {"name": "c", "version": "3", "vulns": [{"id": "X-2", "fix_versions": []}]},
        {"name": "d", "skip_reason": "not found"},
    ]
}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (json.dumps(FAULTY), 1, "b 2: X-1, fixed in 2.1, 3\nc 3: X-2, fixed in no version yet\n"),
        ('{"dependencies": []}', 0, "no vulnerability is known of what is pinned\n"),
        ("", 0, "the advisory database could not be asked: nothing was audited\n"),
        ("[]", 0, "the advisory database could not be asked: nothing was audited\n"),
    ],
)
def test_findings_are_lines_and_silence_is_a_sentence(
    audit, answer, code, said, monkeypatch, capsys
):
    done = subprocess.CompletedProcess([], 1, stdout=answer, stderr="a traceback")
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: done)
    assert audit.main() == code
    assert capsys.readouterr().out == said
