"""No room, no permission and damaged files: one sentence, exit code 2, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from jomed_app.cli import main as cli
from jomed_app.data.records import RECORDS_FILE, read_records
from jomed_app.storage.sealing import MANIFEST_FILE

pytestmark = pytest.mark.usefixtures("log_elsewhere")
REPOSITORY = Path(__file__).resolve().parents[2]


def complaint(capsys, *words: str) -> str:
    """What a command says that must end in one sentence and code 2."""
    assert cli.main(list(words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    said = captured.err.strip().splitlines()
    assert "Traceback" not in captured.err
    return said[-1]


@contextmanager
def mounted(folder: Path, size: str):
    """A small file system of its own; skips where this process may mount none."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("this process may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tiny_corpus, tiny_bundle, tmp_path, capsys):
    """Each command is given less room than it needs."""
    corpus = str(tiny_corpus[0])
    with mounted(tmp_path / "full", "64k") as full:
        for words, left in (
            (["simulate", "--count", "20", "--size", "256", "--workers", "1"], None),
            (["index", "build", "--corpus", corpus, "--bundle", str(tiny_bundle)], []),
        ):
            out = full / words[0]
            said = complaint(capsys, *words, "--out", str(out))
            assert "no space left on device" in said
            assert "make room or choose another place" in said
            if left is None:  # finished cases stay, and the rest can be simulated later
                assert not list(out.rglob("*.part"))
            else:
                assert [path.name for path in full.glob("*index*")] == left
            subprocess.run(["rm", "-rf", str(out)], check=True)


def test_a_result_that_finds_no_room_leaves_the_older_one(
    tiny_bundle, tiny_index, tmp_path, capsys, monkeypatch
):
    """The system refuses the flush, the last moment at which it can."""
    from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png

    (tmp_path / "image.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("older")

    def full(handle):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("jomed_app.storage.durable.os.fsync", full)
    said = complaint(
        capsys, "diagnose", str(tmp_path / "image.png"), "--out", str(tmp_path / "out"),
        "--bundle", str(tiny_bundle), "--index", str(tiny_index),
    )  # fmt: skip
    assert said.startswith("'result.json' must lie where there is room and permission to write")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["result.json"]
    assert (tmp_path / "out" / "result.json").read_text() == "older"


@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "--count", "1", "--out"],
        ["evaluate", "--task", "breast", "--data", "x", "--split", "val", "--out"],
        ["train", "align", "--config", "jomed_app/config/embedded.toml", "--out"],
        ["bundle", "export", "--run", "x", "--out"],
    ],
)
def test_a_file_where_a_folder_must_be_is_said_before_any_work(words, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    said = complaint(capsys, *words, str(tmp_path / "file" / "sub" / "report.json"))
    assert "must lie in a folder that can be written to" in said
    assert (tmp_path / "file").read_text() == "mine"


def test_a_read_only_place_is_said(tmp_path, capsys):
    with mounted(tmp_path / "ro", "64k") as folder:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        said = complaint(capsys, "simulate", "--count", "1", "--out", str(folder / "cases"))
        assert "can be written to" in said or "read-only file system" in said


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "content",
    [DEEP, '{"a":' * 100_000, "\x00", "", "[]", "1e999", '{"format_version": 2}', '"\ud800"'],
)
@pytest.mark.parametrize("kind", ["bundle", "index"])
def test_a_hostile_manifest_is_one_sentence(kind, content, tmp_path, capsys):
    (tmp_path / MANIFEST_FILE).write_bytes(content.encode("utf-8", "surrogatepass"))
    said = complaint(capsys, kind, "info", str(tmp_path))
    assert said.startswith(("bundle '" if kind == "bundle" else "index '", "a bundle", "an index"))
    assert len(said) < 400


def test_a_hostile_configuration_is_one_sentence(tmp_path, capsys):
    path = tmp_path / "deep.toml"
    path.write_text("a = " + DEEP)
    said = complaint(capsys, "train", "align", "--config", str(path), "--out", str(tmp_path / "o"))
    assert said.startswith("'deep.toml' must be valid TOML")
    (tmp_path / "run").mkdir()
    for content in (DEEP, "{", "[]", '{"app": 1}'):
        (tmp_path / "run" / "config.json").write_text(content)
        assert "config.json" in complaint(capsys, "measure", str(tmp_path / "run"))


def link_outside(folder: Path) -> Path:
    """Replace one file of a folder by a link to a copy outside of it; return the link."""
    path = next(each for each in sorted(folder.rglob("*")) if each.is_file())
    outside = folder.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    return path


@pytest.mark.parametrize("kind", ["bundle", "index"])
def test_a_link_in_a_sealed_folder_is_refused(kind, tiny_bundle, tiny_index, tmp_path, capsys):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tiny_bundle if kind == "bundle" else tiny_index, copy)
    link_outside(copy)
    if kind == "bundle":
        said = complaint(capsys, "bundle", "verify", str(copy))
    else:
        image = tmp_path / "image.png"
        from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png

        image.write_bytes(simulated_png(FIRST_FRESH_SEED))
        said = complaint(
            capsys, "diagnose", str(image), "--bundle", str(tiny_bundle), "--index", str(copy)
        )
    assert "must be a file or a folder, found a link or a device" in said


@pytest.mark.parametrize("image", ["../secret.png", "/etc/passwd", "a/../../b.png", "", "."])
def test_a_record_that_leads_out_of_its_corpus_is_refused(
    image, tiny_corpus, tiny_bundle, tmp_path, capsys
):
    record = read_records(tiny_corpus[0])[0].model_dump(mode="json") | {"image": image}
    (tmp_path / RECORDS_FILE).write_text(json.dumps(record) + "\n")
    said = complaint(
        capsys, "index", "build", "--corpus", str(tmp_path), "--bundle", str(tiny_bundle),
        "--out", str(tmp_path / "index"),
    )  # fmt: skip
    assert "line 1 must follow the case schema: image: " in said
    assert "must be relative and stay in the corpus folder" in said


@pytest.mark.parametrize("part", ["file", "folder"])
def test_a_link_in_a_corpus_is_refused(part, tiny_corpus, tiny_bundle, tmp_path, capsys):
    import shutil

    copy = tmp_path / "corpus"
    shutil.copytree(tiny_corpus[0], copy)
    target = copy / "images" if part == "folder" else next((copy / "images").iterdir())
    target.rename(tmp_path / "outside")
    target.symlink_to(tmp_path / "outside")
    said = complaint(
        capsys, "index", "build", "--corpus", str(copy), "--bundle", str(tiny_bundle),
        "--out", str(tmp_path / "index"),
    )  # fmt: skip
    assert "must have its image in the corpus folder, found a symbolic link" in said


READ_ONLY = """
import sys
watched = tuple(sys.argv[1:3])
def refuse(event, words):
    if event == "open":
        path, mode, flags = words
        writes = isinstance(mode, str) and set(mode) & set("wax+") or (flags or 0) & 3
    else:
        path, writes = words[0], event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir")
    if writes and str(path).startswith(watched):
        raise PermissionError(13, "a write to what is read only: " + event)
sys.addaudithook(refuse)
from jomed_app.cli.main import main
sys.exit(main(sys.argv[3:]))
"""


def test_assets_are_never_written_to(tiny_bundle, tiny_index, tmp_path):
    from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png

    def state():
        return [
            (path, path.stat().st_mtime_ns)
            for folder in (tiny_bundle, tiny_index)
            for path in sorted(folder.rglob("*"))
        ]

    (tmp_path / "image.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    before = state()
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(tiny_bundle), str(tiny_index), "diagnose",
         str(tmp_path / "image.png"), "--bundle", str(tiny_bundle), "--index", str(tiny_index)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env=os.environ | {"JOMED_LOG_DIR": str(tmp_path / "log")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert state() == before
