"""Archives: what is inside comes out, what would lead out is refused."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from jomed_app.data.fetch import unpack as module
from jomed_app.data.fetch.unpack import Published, open_published, unpack
from jomed_app.errors import FetchError


def zipped(path, entries, link=""):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, "/etc/passwd")
    return path


def tarred(path, entries, link=None):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = link, "/etc/passwd"
            archive.addfile(member)
    return path


@pytest.mark.parametrize(("make", "name"), [(zipped, "a.zip"), (tarred, "a.tar.gz")])
def test_files_come_out(tmp_path, make, name):
    unpack(make(tmp_path / name, {"x/a.txt": b"1", "b.txt": b"2"}), tmp_path / "out")
    assert (tmp_path / "out" / "x" / "a.txt").read_bytes() == b"1"
    assert (tmp_path / "out" / "b.txt").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["../out.txt", "/abs.txt", "x/../../y", "..\\y", "C:/y", "C:\\y"])
@pytest.mark.parametrize(("make", "ending"), [(zipped, "zip"), (tarred, "tar.gz")])
def test_an_entry_that_leads_out_is_refused(tmp_path, make, ending, name):
    archive = make(tmp_path / f"a.{ending}", {name: b"1"})
    with pytest.raises(FetchError, match="found an entry that leads out of its folder"):
        unpack(archive, tmp_path / "deep" / "out")
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".txt" or path.name == "y"]


def test_links_and_devices_are_refused(tmp_path):
    archives = [zipped(tmp_path / "a.zip", {}, link="link")]
    for place, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)):
        archives.append(tarred(tmp_path / f"{place}.tar.gz", {}, link=kind))
    for archive in archives:
        with pytest.raises(FetchError, match="found a link or device"):
            unpack(archive, tmp_path / "out")


def test_damage_is_said(tmp_path):
    whole = zipped(tmp_path / "a.zip", {"a": b"x" * 1000})
    for name, content in (("b.zip", b"PK no"), ("c.zip", whole.read_bytes()[:-30]), ("d.tgz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FetchError, match=f"'{name}' must be a whole archive"):
            unpack(tmp_path / name, tmp_path / "out")


def test_too_much_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", {"a": b"x", "b": b"y"})
    monkeypatch.setattr(module, "MOST_FILES", 1)
    with pytest.raises(FetchError, match="must hold at most 1 files"):
        unpack(archive, tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(FetchError, match="free on the disk"):
        unpack(archive, tmp_path / "out")


def test_a_folder_an_archive_and_archives_in_one_are_all_the_same(tmp_path):
    folder = tmp_path / "folder"
    (folder / "set").mkdir(parents=True)
    (folder / "set" / "a.txt").write_text("1")
    inner = zipped(tmp_path / "inner.zip", {"set/a.txt": b"1"})
    outer = zipped(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes()})
    packed = tmp_path / "packed"
    packed.mkdir()
    shutil.copyfile(inner, packed / "inner.zip")
    for place, given in enumerate((folder, inner, outer, packed, folder / "set" / "a.txt")):
        found = open_published(given, tmp_path / f"scratch{place}")
        assert [path.read_text() for path in found.all("a.txt")] == ["1"]
    assert inner.exists()
    assert (folder / "set" / "a.txt").exists()


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FetchError, match=r"must hold 'a\.json' as published, found none among 0"):
        Published([tmp_path]).one("a.json", "b.json")
    with pytest.raises(FetchError, match="found nothing there"):
        open_published(tmp_path / "no", tmp_path / "scratch")
