from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import JsonValue

from jomed_app import __version__
from jomed_app.errors import BundleError
from jomed_app.storage.bundle import (
    BUNDLE_LIMIT_BYTES,
    BaseWeights,
    BundleManifest,
    TrainingData,
    TrainingInfo,
    bundle_fingerprint,
    check_size_limit,
    next_version,
    open_bundle,
    write_manifest,
)

FILES = {
    "MODEL_CARD.md": b"# tiny\n",
    "retriever/model.safetensors": bytes(range(256)) * 5,
    "reader/config.json": b'{"model_type": "tiny"}',
    "heads/query.safetensors": b"\x00\x01\x02",
}


def write_tiny(folder: Path, metrics: Mapping[str, JsonValue] | None = None) -> BundleManifest:
    return write_manifest(
        folder,
        name="tiny",
        version="1.0",
        task="breast",
        labels=("normal", "benign", "malignant"),
        prompts={"question": "What is the diagnosis?"},
        profiles={
            "real": {
                "thresholds": {"abstain": 0.5, "box": 1},
                "calibration": {"temperature": 1.25, "isotonic": [[0.0, 0.1], [1.0, 0.9]]},
            }
        },
        training=TrainingInfo(stages=("reader", "retriever"), seeds={"reader": 7}),
        training_data=[TrainingData(name="sim", sha256="ab" * 32, cases=500)],
        metrics={"joint": {"accuracy": 0.9, "n": 156}} if metrics is None else metrics,
        base_weights=[BaseWeights(name="lite0", version="1", licence="Apache-2.0")],
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_tiny(folder)
    return folder


def test_a_bundle_opens_as_it_was_written(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.path == bundle
    assert set(opened.manifest.files) == set(FILES)
    assert opened.manifest.labels == ("normal", "benign", "malignant")
    assert opened.manifest.profiles["real"]["calibration"]["isotonic"] == [[0.0, 0.1], [1.0, 0.9]]
    assert opened.manifest.training.seeds == {"reader": 7}
    assert opened.manifest.code_version == __version__
    assert opened.manifest.files["heads/query.safetensors"].sha256 == (
        "ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc"
    )
    on_disk = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    assert opened.total_size == on_disk


def test_a_bundle_that_replaces_another_counts_up(bundle: Path, tmp_path: Path) -> None:
    assert next_version(tmp_path / "nowhere") == "1"
    assert next_version(bundle) == "1", "1.0 does not count"
    manifest = json.loads((bundle / "manifest.json").read_text())
    fields = {"task": manifest["task"], "labels": manifest["labels"], "profiles": {}}
    write_manifest(bundle, name="tiny", version="9", **fields)
    assert next_version(bundle) == "10"
    (bundle / "manifest.json").write_text("{")
    assert next_version(bundle) == "1"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_flipped_bit_in_any_file_is_found(bundle: Path, name: str, share: float) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[int(share * len(content))] ^= 0x01
    (bundle / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match="bundle 'tiny' must match its manifest: "):
        open_bundle(bundle)


def test_an_altered_file_is_named_with_both_hashes(bundle: Path) -> None:
    (bundle / "retriever/model.safetensors").write_bytes(b"pointer")
    sentence = r"'retriever/model\.safetensors' was altered, expected .* \(1280 bytes\), found .*"
    with pytest.raises(BundleError, match=sentence + r"\(7 bytes\)\. Copy the bundle again"):
        open_bundle(bundle)
    assert open_bundle(bundle, verify=False).manifest.name == "tiny"


def test_missing_and_extra_files_are_named(bundle: Path) -> None:
    (bundle / "reader/extra.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"'reader/extra\.bin' is not in the manifest"):
        open_bundle(bundle)
    (bundle / "reader/extra.bin").unlink()
    (bundle / "reader/config.json").unlink()
    for verify in (True, False):
        with pytest.raises(BundleError, match=r"'reader/config\.json' is missing"):
            open_bundle(bundle, verify=verify)


def test_no_folder_no_manifest_no_json(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must be a folder, found none at 'nowhere'"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match="must be a folder, found none at 'nowhere'"):
        write_tiny(tmp_path / "nowhere")
    for content in (b"{", b"\xff\xfe", b"[]"):
        (bundle / "manifest.json").write_bytes(content)
        with pytest.raises(BundleError, match=r"not readable JSON|format version must be 2"):
            open_bundle(bundle)
    (bundle / "manifest.json").unlink()
    with pytest.raises(BundleError, match=r"'manifest\.json' is missing"):
        open_bundle(bundle)


def test_another_format_version_is_told_before_its_schema(bundle: Path) -> None:
    (bundle / "manifest.json").write_text(json.dumps({"format_version": 3, "new": True}))
    with pytest.raises(BundleError, match="format version must be 2, found 3"):
        open_bundle(bundle)


@pytest.mark.parametrize("path", ["../outside.bin", "/etc/outside", "."])
def test_listed_paths_stay_inside(bundle: Path, path: str) -> None:
    content = json.loads((bundle / "manifest.json").read_text())
    content["files"][path] = content["files"]["MODEL_CARD.md"]
    (bundle / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"breaks its schema at files: .*stay inside the folder"):
        open_bundle(bundle)


def test_an_edited_metric_breaks_the_seal(bundle: Path) -> None:
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace('"accuracy": 0.9', '"accuracy": 0.99'))
    with pytest.raises(BundleError, match="was altered, its seal does not fit"):
        open_bundle(bundle)


def test_fingerprint_follows_files_and_fields_only(bundle: Path) -> None:
    first = open_bundle(bundle).fingerprint
    assert first == bundle_fingerprint(write_tiny(bundle))
    assert len(first) == 16
    changed = write_tiny(bundle, metrics={"joint": {"accuracy": 0.8}})
    assert bundle_fingerprint(changed) != first
    (bundle / "MODEL_CARD.md").write_text("# other\n")
    assert bundle_fingerprint(write_tiny(bundle)) not in {first, bundle_fingerprint(changed)}


def test_what_cannot_stand_in_a_manifest_is_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match="finite numbers only"):
        write_tiny(bundle, metrics={"joint": {"accuracy": float("nan")}})
    with pytest.raises(BundleError, match="must follow its schema: labels"):
        write_manifest(bundle, name="tiny", version="1", task="breast", labels=())
    assert open_bundle(bundle).manifest.metrics == {"joint": {"accuracy": 0.9, "n": 156}}


def test_the_size_limit_names_the_largest_file(bundle: Path) -> None:
    manifest = open_bundle(bundle).manifest
    check_size_limit(manifest)
    assert BUNDLE_LIMIT_BYTES == 67_108_864
    exact = open_bundle(bundle).total_size
    check_size_limit(manifest, exact)
    with pytest.raises(BundleError, match=r"at most 0\.0 MiB.*'retriever/model\.safetensors'"):
        check_size_limit(manifest, exact - 1)
