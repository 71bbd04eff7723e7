"""A bundle pushed to and pulled from a Hub of the tests' own; nothing leaves the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from jomed_app.errors import BundleError, ConfigError, HubError
from jomed_app.storage.bundle import open_bundle, write_manifest
from jomed_app.storage.hub import fetch_dataset, pull_bundle, push_bundle
from jomed_app.storage.sealing import SIGNATURE_FILE
from tests.storage.fake_hub import TOKEN, Repo, fake_hub

REPOSITORY = Path(__file__).resolve().parents[2]
REPO = "me/mine"
# 30 November 2026: huggingface_hub 2.4 sends large files in a way that its own client deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with fake_hub() as found:
        yield found


@pytest.fixture
def api(hub):
    return HfApi(endpoint=hub.url, token=TOKEN)


@pytest.fixture
def bundle(tmp_path):
    return write_bundle(tmp_path / "bundle", b"weights")


def write_bundle(folder, weights):
    (folder / "reader" / "adapter").mkdir(parents=True)
    (folder / "reader" / "adapter" / "adapter_model.safetensors").write_bytes(weights)
    (folder / "task.json").write_text("{}")
    write_manifest(folder, name="mine", version="3", task="breast", labels=("a", "b"))
    return folder


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_is_pushed_is_private_and_comes_back_to_the_byte(hub, api, bundle, tmp_path):
    (bundle / SIGNATURE_FILE).write_bytes(b"s" * 64)
    commit = push_bundle(bundle, REPO, api=api)
    assert hub.repos[REPO].private
    assert hub.files(REPO) == contents(bundle)
    seen = []
    out = tmp_path / "pulled"
    found = pull_bundle(REPO, out, api=api, on_load=lambda *moment: seen.append(moment))
    assert found == commit
    assert contents(out) == contents(bundle)
    assert open_bundle(out).fingerprint == open_bundle(bundle).fingerprint
    assert seen[-1][1] == seen[-1][2] == open_bundle(bundle).manifest.total_size
    assert [path.name for path in tmp_path.glob(".pulled*")] == []


def test_a_commit_stays_what_it_was(hub, api, bundle, tmp_path):
    first = push_bundle(bundle, REPO, api=api)
    second = push_bundle(write_bundle(tmp_path / "new", b"other"), REPO, api=api)
    assert first != second
    pull_bundle(REPO, tmp_path / "old", first, api=api)
    assert contents(tmp_path / "old") == contents(bundle)
    pull_bundle(REPO, tmp_path / "old", api=api)
    assert contents(tmp_path / "old") == contents(tmp_path / "new"), "the newest replaces it"


def test_large_files_that_the_hub_holds_are_not_sent_again(hub, api, bundle):
    push_bundle(bundle, REPO, api=api)
    push_bundle(bundle, "me/other", api=api)
    assert len([path for method, path in hub.asked if method == "PUT"]) == 1


def test_an_interrupted_pull_goes_on_where_it_was(hub, api, bundle, tmp_path):
    push_bundle(bundle, REPO, api=api)
    hub.broken["task.json"] = 403
    with pytest.raises(HubError, match="what was sent or fetched is kept"):
        pull_bundle(REPO, tmp_path / "pulled", api=api)
    assert not (tmp_path / "pulled").exists()
    hub.broken.clear()
    hub.asked.clear()
    pull_bundle(REPO, tmp_path / "pulled", api=api)
    assert hub.fetched() == ["task.json"], "the rest lay beside"
    assert contents(tmp_path / "pulled") == contents(bundle)


def test_a_file_that_was_altered_there_takes_no_place(hub, api, bundle, tmp_path):
    push_bundle(bundle, REPO, api=api)
    hub.files(REPO)["task.json"] = b"[]"
    write_bundle(tmp_path / "pulled", b"older")
    before = contents(tmp_path / "pulled")
    with pytest.raises(BundleError, match=r"file 'task.json' was altered"):
        pull_bundle(REPO, tmp_path / "pulled", api=api)
    assert contents(tmp_path / "pulled") == before
    assert [path.name for path in tmp_path.glob(".pulled*")] == []


def test_what_else_lies_in_the_repository_is_left_there(hub, api, bundle, tmp_path):
    push_bundle(bundle, REPO, api=api)
    hub.files(REPO)["README.md"] = b"a page"
    pull_bundle(REPO, tmp_path / "pulled", api=api)
    assert contents(tmp_path / "pulled") == contents(bundle)


def test_a_bundle_goes_to_no_public_repository_unless_told(hub, api, bundle):
    push_bundle(bundle, REPO, public=True, api=api)
    assert not hub.repos[REPO].private
    with pytest.raises(ConfigError, match="found 'me/mine' public; make it private, or"):
        push_bundle(bundle, REPO, api=api)


def test_an_altered_bundle_is_not_pushed(hub, api, bundle):
    (bundle / "task.json").write_text("[]")
    with pytest.raises(BundleError, match="was altered"):
        push_bundle(bundle, REPO, api=api)
    assert hub.asked == []


def test_a_push_requires_a_log_in(hub, bundle):
    with pytest.raises(ConfigError, match="requires a log-in at the Hub, found none: hf auth"):
        push_bundle(bundle, REPO, api=HfApi(endpoint=hub.url))
    assert hub.asked == []


def test_offline_is_said_before_anything_is_asked(monkeypatch, bundle, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for ask in (lambda: push_bundle(bundle, REPO), lambda: pull_bundle(REPO, tmp_path / "x")):
        with pytest.raises(ConfigError, match="told to stay offline; unset HF_HUB_OFFLINE"):
            ask()


@pytest.mark.parametrize(
    ("repo", "revision", "kind", "message"),
    [
        ("me/absent", "", HubError, "a repository that you may read, found none"),
        (REPO, "f" * 40, HubError, "must have the revision that is asked for"),
        ("a/b/c", "", ConfigError, "named owner/name"),
        ("me/empty", "", BundleError, "must hold a bundle, found no 'manifest.json'"),
        ("me/broken", "", BundleError, "must hold a whole bundle at"),
    ],
)
def test_a_pull_that_cannot_be_is_one_sentence(
    hub, api, bundle, tmp_path, repo, revision, kind, message
):
    push_bundle(bundle, REPO, api=api)
    for name in ("empty", "broken"):
        api.create_repo(f"me/{name}", private=True)
    hub.files("me/broken")["manifest.json"] = b"{}"
    with pytest.raises(kind, match=message):
        pull_bundle(repo, tmp_path / "pulled", revision, api=api)
    assert not (tmp_path / "pulled").exists()


def test_a_hub_that_does_not_answer_is_one_sentence(hub, bundle, monkeypatch, tmp_path):
    api = HfApi(endpoint="http://127.0.0.1:9", token=TOKEN)
    with pytest.raises(HubError, match="must be reachable and take every file, found no answer"):
        pull_bundle(REPO, tmp_path / "pulled", api=api)


def typed(*words, **environment):
    """Exit status and both streams of the command, in a process of its own."""
    plain = {key: value for key, value in os.environ.items() if not key.endswith("_OFFLINE")}
    done = subprocess.run(
        [sys.executable, "-m", "jomed_app", "bundle", *map(str, words)],
        cwd=REPOSITORY,
        env=plain | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_commands_go_to_the_hub_though_the_app_stays_offline(hub, bundle, tmp_path):
    own = {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"),
        "JOMED_LOG_DIR": str(tmp_path),
    }
    code, said, complaint = typed("push", bundle, REPO, HF_TOKEN=TOKEN, **own)
    assert code == 0, complaint
    assert said == f"me/mine holds it as {hub.repos[REPO].newest}\n"
    code, said, complaint = typed("pull", REPO, tmp_path / "out", HF_TOKEN=TOKEN, **own)
    assert code == 0, complaint
    assert "every file matches its hash" in said
    assert contents(tmp_path / "out") == contents(bundle)
    code, _, complaint = typed("pull", REPO, tmp_path / "no", HF_HUB_OFFLINE="1", **own)
    assert (code, complaint.count("unset HF_HUB_OFFLINE")) == (2, 1)


def test_files_of_a_dataset_come_at_one_commit_and_only_those_asked_for(hub, api, tmp_path):
    commit = "a" * 40
    files = {"data/train.parquet": b"12", "data/test.parquet": b"345", "README.md": b"6"}
    hub.repos["you/set"] = Repo(private=False, commits={commit: files})
    seen = []
    found = fetch_dataset("you/set", tmp_path, ["data/*.parquet"], api=api,
                          on_load=lambda *moment: seen.append(moment[1:]))  # fmt: skip
    assert found == commit
    assert (tmp_path / "data" / "train.parquet").read_bytes() == b"12"
    assert not (tmp_path / "README.md").exists()
    assert seen == [(3, 5), (5, 5)]
    fetched = len(hub.fetched())
    fetch_dataset("you/set", tmp_path, ["data/*.parquet"], api=api)
    assert len(hub.fetched()) == fetched, "what is there is not sent again"
    with pytest.raises(HubError, match=r"must hold files '\*\.zip', found none"):
        fetch_dataset("you/set", tmp_path, ["*.zip"], api=api)
