"""What a home holds: a record of Zenodo or a Dataverse to files with size and stated hash."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from jomed_app.data.fetch.catalogue import DataverseHome, WebHome, ZenodoHome, check_address
from jomed_app.data.fetch.https import Downloader, Wanted
from jomed_app.errors import FetchError

# A Dataverse turns an uploaded table into one of its own; what it states is of the upload.
REWRITTEN = frozenset({"text/tab-separated-values"})


def list_files(home: WebHome | ZenodoHome | DataverseHome, web: Downloader) -> list[Wanted]:
    """List the files to fetch from a home.

    Source: the REST interfaces of Zenodo (/api/records/ID) and Dataverse (/api/datasets).

    Args:
        home: of the set.
        web: asks for the list.

    Returns:
        Files by the order of the home's patterns, then by name.

    Raises:
        FetchError: if the home does not answer, or a pattern fits none of its files.
    """
    if isinstance(home, WebHome):
        return [
            Wanted(each.name, each.url, size=each.size, sha256=each.sha256) for each in home.files
        ]
    try:
        found = _of_zenodo(home, web) if isinstance(home, ZenodoHome) else _of_dataverse(home, web)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FetchError(
            "a home must list its files as its interface says, found another form; fetch them by "
            "hand from its page and give --from"
        ) from error
    return _chosen(found, home.files)


def _of_zenodo(home: ZenodoHome, web: Downloader) -> list[Wanted]:
    listed = web.get_json(f"{home.server}/api/records/{home.record}")["files"]
    return [
        Wanted(
            _plain(each["key"]),
            check_address(each["links"]["self"]),
            size=int(each["size"]),
            md5=_md5(str(each["checksum"]).partition("md5:")[2]),
        )
        for each in listed
    ]


def _of_dataverse(home: DataverseHome, web: Downloader) -> list[Wanted]:
    asked = f"{home.server}/api/datasets/:persistentId/?persistentId={quote(home.doi)}"
    return [
        _of_datafile(home, each["dataFile"])
        for each in web.get_json(asked)["data"]["latestVersion"]["files"]
    ]


def _of_datafile(home: DataverseHome, stated: dict[str, Any]) -> Wanted:
    url = f"{home.server}/api/access/datafile/{int(stated['id'])}"
    if stated.get("contentType") in REWRITTEN:
        return Wanted(_plain(stated["filename"]), url)
    return Wanted(
        _plain(stated["filename"]),
        url,
        size=int(stated["filesize"]),
        md5=_md5(str(stated.get("md5", ""))),
    )


def _chosen(found: Sequence[Wanted], patterns: Sequence[str]) -> list[Wanted]:
    chosen: dict[str, Wanted] = {}
    for pattern in patterns:
        fitting = sorted(
            (each for each in found if fnmatch.fnmatchcase(each.name, pattern)),
            key=lambda each: each.name,
        )
        if not fitting:
            raise FetchError(
                f"the home must hold a file '{pattern}', found none among {len(found)}; it may "
                "have a new version: fetch it by hand from its page and give --from"
            )
        chosen |= {each.name: each for each in fitting}
    return list(chosen.values())


def _plain(name: object) -> str:
    """A file name that leads nowhere else."""
    text = str(name)
    if not text or "/" in text or "\\" in text or text.startswith(".") or "\0" in text:
        raise ValueError("the name of a file must be a plain one")
    return text


def _md5(text: str) -> str | None:
    return text.lower() if len(text) == 32 else None
