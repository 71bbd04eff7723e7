"""Bundles on the Hugging Face Hub: pushed private, pulled at one commit and checked to the byte.

The one door to huggingface_hub. Nothing here runs unless somebody types `bundle push`,
`bundle pull` or `data get`.
What was sent or fetched before an interruption is kept: of a push by the Hub, of a pull file by
file in a hidden folder beside the target.
"""

from __future__ import annotations

import fnmatch
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from jomed_app.errors import BundleError, ConfigError, HubError
from jomed_app.progress import OnLoad, load_unseen
from jomed_app.storage.bundle import BUNDLE_FORMAT_VERSION, BundleManifest, open_bundle
from jomed_app.storage.durable import require_writable, whole_folder
from jomed_app.storage.sealing import MANIFEST_FILE, SIGNATURE_FILE, SealError, read_sealed

OFFLINE = "the Hub is to be asked, found this process told to stay offline; unset HF_HUB_OFFLINE"
LOG_IN = "hf auth login, or set HF_TOKEN"
COMMIT = re.compile(r"[0-9a-f]{40}")
NETWORK_ERROR: type[BaseException] = HfHubHTTPError.__bases__[
    0
]  # its client's base of every fault of a connection
FETCHING = "fetching the bundle"
FETCHING_SET = "fetching the set"


def push_bundle(folder: Path, repo: str, *, public: bool = False, api: HfApi | None = None) -> str:
    """Send a bundle to a repository of the Hub, which is made where it is not there.

    Args:
        folder: a bundle; checked first.
        repo: "owner/name".
        public: whether everyone may read it; a repository that is made is private otherwise.
        api: how the Hub is asked.

    Returns:
        The commit, 40 hexadecimal digits.

    Raises:
        BundleError: if the bundle is altered.
        ConfigError: if the process is to stay offline, nobody is logged in, or the repository is
            public and that was not asked for.
        HubError: if the Hub refuses or does not answer.
    """
    bundle = open_bundle(folder)
    _require_online()
    api = api or HfApi()
    if not (api.token or get_token()):
        raise ConfigError(f"a push requires a log-in at the Hub, found none: {LOG_IN}")
    names = [*bundle.manifest.files, MANIFEST_FILE]
    names += [SIGNATURE_FILE] if (folder / SIGNATURE_FILE).is_file() else []
    with _worded(repo):
        api.create_repo(repo, private=not public, exist_ok=True)
        if not public and not api.repo_info(repo).private:
            raise ConfigError(
                f"a bundle goes to a private repository, found '{repo}' public; make it private, "
                "or push with --public"
            )
        said = f"{bundle.manifest.name} {bundle.manifest.version} ({bundle.fingerprint[:8]})"
        commit = api.upload_folder(
            repo_id=repo, folder_path=folder, allow_patterns=names, commit_message=said
        )
    return str(commit.oid)


def pull_bundle(
    repo: str,
    out: Path,
    revision: str = "",
    *,
    api: HfApi | None = None,
    on_load: OnLoad = load_unseen,
) -> str:
    """Fetch a bundle at one commit; it takes its place once every byte was checked.

    Args:
        repo: "owner/name".
        out: folder to write; an older one is replaced at the very end.
        revision: commit, branch or tag; empty takes the newest commit. What a name stands for is
            asked once, and every file is fetched from that commit.
        api: how the Hub is asked.
        on_load: told after every file.

    Returns:
        The commit, 40 hexadecimal digits.

    Raises:
        BundleError: if the repository holds no bundle, or one that is altered.
        ConfigError: if the process is to stay offline.
        HubError: if there is no such repository or commit, or the Hub does not answer.
        StorageError: if there is no room or no permission.
    """
    _require_online()
    require_writable(out.parent)
    api = api or HfApi()
    with _worded(repo):
        info = api.model_info(repo, revision=revision or None)
        commit = str(info.sha)
        if not COMMIT.fullmatch(commit):
            raise HubError(f"the Hub must name the commit of '{repo}', found none; try again")
        kept = out.absolute().parent / f".{out.name}.pull-{commit[:12]}"
        listed = {each.rfilename for each in info.siblings or ()}
        names = _fetch(api, repo, commit, kept, listed, on_load)
    try:
        with whole_folder(out) as folder:
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(kept / name, folder / name)
            open_bundle(folder)
    finally:  # what is whole lies in its place, and what is altered must not be taken up again
        shutil.rmtree(kept, ignore_errors=True)
    return commit


def fetch_dataset(
    repo: str,
    folder: Path,
    patterns: Sequence[str],
    revision: str = "",
    *,
    api: HfApi | None = None,
    on_load: OnLoad = load_unseen,
) -> str:
    """Fetch files of a dataset repository at one commit; files that are there are not sent again.

    Args:
        repo: "owner/name".
        folder: to write to; files keep their paths.
        patterns: of the files' names, such as "data/*.parquet".
        revision: commit, branch or tag; empty takes the newest commit.
        api: how the Hub is asked.
        on_load: told after every file.

    Returns:
        The commit, 40 hexadecimal digits.

    Raises:
        ConfigError: if the process is to stay offline.
        HubError: if there is no such repository, a pattern fits no file, or the Hub does not
            answer.
    """
    _require_online()
    api = api or HfApi()
    with _worded(repo):
        info = api.dataset_info(repo, revision=revision or None, files_metadata=True)
        commit = str(info.sha)
        if not COMMIT.fullmatch(commit):
            raise HubError(f"the Hub must name the commit of '{repo}', found none; try again")
        sizes = {each.rfilename: each.size or 0 for each in info.siblings or ()}
        names = []
        for pattern in patterns:
            fitting = sorted(fnmatch.filter(sizes, pattern))
            if not fitting:
                raise HubError(
                    f"'{repo}' must hold files '{pattern}', found none; it may have changed: fetch "
                    "it by hand and give --from"
                )
            names += [name for name in fitting if name not in names]
        total, done = sum(sizes[name] for name in names), 0
        for name in names:
            api.hf_hub_download(repo, name, revision=commit, local_dir=folder, repo_type="dataset")
            done += sizes[name]
            on_load(FETCHING_SET, done, total)
    return commit


def _fetch(
    api: HfApi, repo: str, commit: str, kept: Path, listed: set[str], on_load: OnLoad
) -> list[str]:
    """Fetch the manifest and what it lists into a folder that stays if this is interrupted."""
    if MANIFEST_FILE not in listed:
        raise BundleError(
            f"'{repo}' must hold a bundle, found no '{MANIFEST_FILE}' in it; name another"
        )
    api.hf_hub_download(repo, MANIFEST_FILE, revision=commit, local_dir=kept)
    try:
        manifest = read_sealed(kept, BundleManifest, format_version=BUNDLE_FORMAT_VERSION)
    except SealError as error:
        shutil.rmtree(kept, ignore_errors=True)
        raise BundleError(
            f"'{repo}' must hold a whole bundle at {commit[:8]}: {error}; push it again"
        ) from error
    done = 0
    for name, entry in manifest.files.items():
        api.hf_hub_download(repo, name, revision=commit, local_dir=kept)
        done += entry.size
        on_load(FETCHING, done, manifest.total_size)
    more = [SIGNATURE_FILE] if SIGNATURE_FILE in listed else []
    for name in more:
        api.hf_hub_download(repo, name, revision=commit, local_dir=kept)
    return [*manifest.files, MANIFEST_FILE, *more]


def _require_online() -> None:
    if constants.is_offline_mode():
        raise ConfigError(OFFLINE)


@contextmanager
def _worded(repo: str) -> Iterator[None]:
    """Turn what the Hub or the network refuses into one sentence; no answer is repeated in it."""
    try:
        yield
    except HFValidationError as error:
        raise ConfigError(f"a repository must be named owner/name, found '{repo}'") from error
    except OfflineModeIsEnabled as error:
        raise ConfigError(OFFLINE) from error
    except RevisionNotFoundError as error:
        raise HubError(
            f"'{repo}' must have the revision that is asked for, found none; name another"
        ) from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"'{repo}' must be a repository that you may read, found none on the Hub; check its "
            f"name, or log in: {LOG_IN}"
        ) from error
    except RemoteEntryNotFoundError as error:
        raise HubError(
            f"'{repo}' must hold every file that its manifest lists, found one missing; push the "
            "bundle again"
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        what = f"check what your log-in may do: {LOG_IN}" if status in (401, 403) else "try again"
        raise HubError(f"the Hub must take the request, found status {status}; {what}") from error
    except (NETWORK_ERROR, ConnectionError, LocalEntryNotFoundError, RuntimeError) as error:
        # the last two: of one file that was not handed out, or not taken
        raise HubError(
            "the Hub must be reachable and take every file, found no answer; check the network and "
            "try again, what was sent or fetched is kept"
        ) from error
