"""A set from a home on this machine or from files at hand: accepted, whole, noted, compared."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from jomed_app.data.fetch.catalogue import PublicSet
from jomed_app.data.fetch.get import DOWNLOADS, get_set, read_note
from jomed_app.data.fetch.https import Downloader
from jomed_app.data.records import read_records
from jomed_app.errors import ConfigError, FetchError
from tests.data.fetch.file_server import file_server
from tests.data.formats.boxed_images import draw_image


@pytest.fixture
def archive(tmp_path):
    """BUSI as published, two images, zipped."""
    path = tmp_path / "Dataset_BUSI.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for label in ("benign", "malignant"):
            image = tmp_path / f"{label} (1).png"
            draw_image(image, 40, 30, len(label))
            opened.write(image, f"Dataset_BUSI_with_GT/{label}/{image.name}")
    return path


@pytest.fixture
def server(archive):
    with file_server() as served:
        served.files["/Dataset_BUSI.zip"] = archive.read_bytes()
        yield served


def described(server=None, **changes):
    url = f"{server.url}/Dataset_BUSI.zip" if server else "https://example.org/Dataset_BUSI.zip"
    stated = changes.pop("stated", {})
    file = {"name": "Dataset_BUSI.zip", "url": url, **stated}
    return PublicSet.model_validate({
        "name": "busi", "title": "BUSI", "task": "breast", "licence": "some terms",
        "page": "https://example.org", "about": "", "layout": "busi",
        "home": {"kind": "https", "files": [file]}, **changes,
    })  # fmt: skip


def get(one, into, **options):
    return get_set(one, into, accepted=True, web=Downloader(wait=lambda _: None), **options)


def test_a_set_comes_from_its_home_with_a_note_of_its_hash(server, archive, tmp_path):
    seen = []
    note = get(described(server), tmp_path / "data", on_progress=lambda *step: seen.append(step))
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert (note.cases, note.source, note.sha256) == (2, "home", {"Dataset_BUSI.zip": sha256})
    assert note.stated == ()
    assert read_note(tmp_path / "data" / "busi") == note
    assert len(read_records(tmp_path / "data" / "busi")) == 2
    assert seen
    assert not (tmp_path / "data" / DOWNLOADS / "busi").exists()
    assert sorted(path.name for path in (tmp_path / "data" / "busi").iterdir()) == [
        "about.json", "images", "records.jsonl",
    ]  # fmt: skip


def test_a_stated_hash_is_said_to_be_stated(server, archive, tmp_path):
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    note = get(described(server, stated={"sha256": sha256}), tmp_path)
    assert note.stated == ("Dataset_BUSI.zip",)


def test_a_set_that_is_here_is_not_asked_for_again(server, tmp_path):
    first = get(described(server), tmp_path)
    assert get(described(server), tmp_path) == first
    assert len(server.asked) == 1


def test_what_was_fetched_stays_when_something_goes_wrong_later(server, tmp_path):
    server.faults = ["drop", 404]
    with pytest.raises(FetchError, match="found status 404"):
        get(described(server), tmp_path)
    assert not (tmp_path / "busi").exists()
    get(described(server), tmp_path)
    assert server.asked[-1][1].startswith("bytes=")


def test_another_file_than_at_the_first_download_is_refused(server, archive, tmp_path):
    get(described(server), tmp_path)
    (tmp_path / "busi").rename(tmp_path / "kept")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("more", "1")
    server.files["/Dataset_BUSI.zip"] = archive.read_bytes()
    with pytest.raises(FetchError, match="must be the file of the first download, found another"):
        get(described(server), tmp_path)
    assert not (tmp_path / "busi").exists()


@pytest.mark.parametrize("unpacked", [False, True])
def test_files_at_hand_will_do_and_stay(archive, tmp_path, unpacked):
    given = archive
    if unpacked:
        given = tmp_path / "folder"
        zipfile.ZipFile(archive).extractall(given)
    note = get(described(), tmp_path / "data", given=given)
    assert (note.cases, note.source, note.sha256) == (2, "files at hand", {})
    assert given.exists()


def test_nothing_is_fetched_before_the_licence_is_accepted(server, tmp_path):
    with pytest.raises(
        ConfigError, match=r"published under these terms: some terms .*--accept-lic"
    ):
        get_set(described(server), tmp_path, accepted=False)
    assert server.asked == []


def test_a_folder_that_is_something_else_is_left_alone(tmp_path, archive):
    (tmp_path / "busi").mkdir()
    (tmp_path / "busi" / "mine").write_text("1")
    with pytest.raises(ConfigError, match="found another folder"):
        get(described(), tmp_path, given=archive)
    assert (tmp_path / "busi" / "mine").read_text() == "1"


def test_a_page_is_for_a_person(tmp_path):
    with pytest.raises(FetchError, match=r"must be fetched by a person from https://example\.org"):
        get(described(home={"kind": "page"}), tmp_path)


def test_the_hub_is_asked_by_whoever_may(tmp_path, archive):
    home = {"kind": "hub", "repo": "me/mine", "files": ["*.zip"]}

    def fetch_hub(asked, folder, on_progress):
        folder.mkdir(parents=True)
        (folder / archive.name).write_bytes(archive.read_bytes())
        assert asked.repo == "me/mine"
        return "c" * 40

    note = get(described(home=home), tmp_path / "data", fetch_hub=fetch_hub)
    assert note.revision == "c" * 40
    assert list(note.sha256) == ["Dataset_BUSI.zip"]
    with pytest.raises(ConfigError, match="give --from"):
        get(described(home=home), tmp_path / "other")


def test_a_layout_that_nobody_knows_is_named(tmp_path):
    with pytest.raises(ConfigError, match="found 'mine'"):
        get(described(layout="mine"), tmp_path)
