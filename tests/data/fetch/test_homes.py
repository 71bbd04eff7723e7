"""Lists of homes: Zenodo's and a Dataverse's answers in the form that they publish."""

from __future__ import annotations

import pytest

from jomed_app.data.fetch.catalogue import DataverseHome, WebHome, ZenodoHome
from jomed_app.data.fetch.homes import list_files
from jomed_app.data.fetch.https import Downloader, Wanted
from jomed_app.errors import FetchError
from tests.data.fetch.file_server import file_server

MD5 = "0cc175b9c0f1b6a831c399e269772661"


@pytest.fixture
def server():
    with file_server() as served:
        yield served


@pytest.fixture
def web():
    with Downloader(wait=lambda _: None) as found:
        yield found


def test_zenodo_states_size_and_hash(server, web):
    link = f"{server.url}/api/records/12/files/a.npz/content"
    server.put_json("/api/records/12", {"files": [
        {"key": "a.npz", "size": 1, "checksum": f"md5:{MD5}", "links": {"self": link}},
        {"key": "b.npz", "size": 1, "checksum": f"md5:{MD5}", "links": {"self": link}},
    ]})  # fmt: skip
    home = ZenodoHome(kind="zenodo", record="12", files=("a.npz",), server=server.url)
    assert list_files(home, web) == [Wanted("a.npz", link, size=1, md5=MD5)]


def test_a_dataverse_states_them_but_for_tables_that_it_rewrote(server, web):
    server.put_json(
        "/api/datasets/:persistentId/?persistentId=doi%3A10.1/X",
        {"data": {"latestVersion": {"files": [
            {"dataFile": {"id": 7, "filename": "images_part_1.zip", "filesize": 3, "md5": MD5,
                          "contentType": "application/zip"}},
            {"dataFile": {"id": 8, "filename": "meta.tab", "filesize": 3, "md5": MD5,
                          "contentType": "text/tab-separated-values"}},
        ]}}},
    )  # fmt: skip
    home = DataverseHome(kind="dataverse", doi="doi:10.1/X", server=server.url,
                         files=("meta*", "images_part_*.zip"))  # fmt: skip
    assert list_files(home, web) == [
        Wanted("meta.tab", f"{server.url}/api/access/datafile/8"),
        Wanted("images_part_1.zip", f"{server.url}/api/access/datafile/7", size=3, md5=MD5),
    ]


def test_plain_addresses_are_as_described(web):
    home = WebHome.model_validate(
        {"kind": "https", "files": [{"name": "a.zip", "url": "https://example.org/a", "size": 5}]}
    )
    assert list_files(home, web) == [Wanted("a.zip", "https://example.org/a", size=5)]


@pytest.mark.parametrize(
    "listed",
    [
        {"files": [{"key": "../a", "size": 1, "checksum": "", "links": {"self": "https://x/a"}}]},
        {"files": [{"key": "a", "size": 1, "checksum": "", "links": {"self": "http://x/a"}}]},
        {"files": [{"key": "a"}]},
        [],
    ],
)
def test_a_list_that_leads_elsewhere_or_says_too_little_is_refused(server, web, listed):
    server.put_json("/api/records/12", listed)
    with pytest.raises(FetchError, match="must list its files as its interface says"):
        list_files(ZenodoHome(kind="zenodo", record="12", files=("*",), server=server.url), web)


def test_a_file_that_is_gone_is_named(server, web):
    server.put_json("/api/records/12", {"files": []})
    with pytest.raises(FetchError, match=r"must hold a file 'a\.npz', found none among 0"):
        list_files(ZenodoHome(kind="zenodo", record="12", files=("a.npz",), server=server.url), web)
