from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText

from jomed_app.data.tasks import load_task
from jomed_app.errors import BundleError, ConfigError, IndexMismatchError, MemoryShortError
from jomed_app.inference.calibration.profile import CorpusProfile
from jomed_app.inference.load import READER_FILE, TASK_FILE, load_bundle, load_engine
from jomed_app.models.number_type import VARIABLE, dtype_name
from jomed_app.storage.bundle import write_manifest
from tests.tiny_bundle import TINY_CALIBRATION


@pytest.fixture
def copy(tiny_bundle, tmp_path):
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


def sealed_again(folder, **changed):
    """Seal a folder anew, with one profile of the given thresholds and calibration."""
    write_manifest(
        folder,
        name="tiny",
        version="1",
        task="breast",
        labels=load_task("breast").labels,
        profiles={"simulated": changed},
    )
    return folder


def test_a_bundle_comes_whole(tiny_bundle):
    parts = load_bundle(tiny_bundle, "fp32")
    assert parts.task == load_task("breast")
    assert (parts.reader.location_bins, parts.reader.candidate_pool) == (16, 2)
    profile = parts.profile(simulated=True)
    assert profile.settings.k_per_head == 2
    assert type(profile.settings.k_per_head) is int
    assert profile.settings.weight_temperature == 1.0, "left out, so the default"
    assert profile.calibration.model_dump(mode="json") == TINY_CALIBRATION
    assert parts.profile(simulated=False) == CorpusProfile(), (
        "never measured, so the plain defaults"
    )
    assert parts.retriever.tower is parts.reader.model.model.vision_tower
    assert not parts.localizer.training
    assert parts.localizer.config.location_bins == parts.reader.location_bins


def test_an_engine_says_what_it_runs_on(tiny_engine, tiny_index):
    info = tiny_engine.info
    manifest = json.loads((tiny_index / "manifest.json").read_text())
    assert info.bundle.startswith("tiny 1 (")
    assert info.index == f"tiny index ({manifest['corpus_sha256'][:8]})"
    assert info.index_size == 12
    assert info.box_threshold == 0.5
    assert info.error_rates == {"consistent": 0.2}, "of 29 cases none is said"
    assert info.measured_on == "40 tiny images"
    assert [each.threshold for each in info.box_operating_points] == [0.25, 0.5]
    assert info.box_operating_points[1].found_share == 0.8


def test_weights_that_do_not_fit_name_the_precision(tiny_bundle, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", fail)
    with pytest.raises(MemoryShortError, match=r"lower --precision \(nf4 needs least\)$"):
        load_bundle(tiny_bundle, "fp32")


@pytest.mark.parametrize(
    ("precision", "number_type"), [("fp32", "fp32"), ("bf16", "bf16"), ("nf4", "bf16")]
)
def test_an_engine_says_what_it_runs_and_how(tiny_bundle, tiny_index, precision, number_type):
    versions = load_engine(tiny_bundle, tiny_index, precision=precision).info.versions
    files = json.loads((tiny_bundle / "manifest.json").read_text())["files"]
    assert versions.reader == f"llava ({files['reader/model.safetensors']['sha256'][:8]})"
    fingerprint = load_bundle(tiny_bundle, "fp32").retriever.fingerprint
    assert versions.retriever == f"embedded ({fingerprint[:8]})"
    assert (versions.precision, versions.number_type) == (precision, number_type)
    assert versions.threads == torch.get_num_threads()


def test_a_reader_in_several_files_is_named_by_all_of_them(copy, tiny_index):
    one = load_engine(sealed_again(copy), tiny_index, precision="fp32").info.reader
    save_file({"spare": torch.zeros(1)}, copy / "reader" / "spare.safetensors")
    both = load_engine(sealed_again(copy), tiny_index, precision="fp32").info.reader
    assert one != both


@pytest.mark.parametrize("number_type", ["fp32", "bf16"])
def test_without_a_precision_the_set_number_type_rules(tiny_bundle, monkeypatch, number_type):
    monkeypatch.setenv(VARIABLE, number_type)
    parts = load_bundle(tiny_bundle)
    assert parts.precision.value == number_type
    assert dtype_name(parts.reader.dtype) == number_type


def test_an_asked_precision_wins_over_the_set_number_type(tiny_bundle, monkeypatch):
    monkeypatch.setenv(VARIABLE, "bf16")
    assert load_bundle(tiny_bundle, "fp32").reader.dtype is torch.float32


def test_an_unknown_number_type_is_refused(tiny_bundle, monkeypatch):
    monkeypatch.setenv(VARIABLE, "fp16")
    with pytest.raises(ConfigError, match="JOMED_NUMBER_TYPE must be bf16 or fp32, found 'fp16'"):
        load_bundle(tiny_bundle)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_a_precision_is_kept_to(tiny_bundle, precision, dtype):
    parts = load_bundle(tiny_bundle, precision)
    assert parts.reader.dtype is dtype
    assert parts.reader.model.get_input_embeddings().weight.dtype is dtype


def test_every_precision_searches_the_same_index(tiny_bundle, tiny_index):
    assert load_engine(tiny_bundle, tiny_index, precision="bf16").info.index_size == 12


def test_the_calibration_may_be_missing(copy, tiny_index):
    engine = load_engine(sealed_again(copy), tiny_index, precision="fp32")
    assert engine.profile.calibration.conformal is None
    assert engine.info.error_rates == {}
    assert engine.info.measured_on == ""


def test_an_unknown_precision_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match=r"precision must be one of auto, fp32.*found 'fp8'"):
        load_bundle(tmp_path / "absent", "fp8")


def test_a_missing_bundle_says_how_to_make_one(tmp_path):
    with pytest.raises(BundleError, match="a bundle must be a folder, found none at 'absent'"):
        load_bundle(tmp_path / "absent")


def test_an_altered_file_is_found_before_any_weight_is_read(copy):
    path = copy / "reader" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"file 'reader/model.safetensors' was altered"):
        load_bundle(copy)


@pytest.mark.parametrize(
    "name",
    [READER_FILE, TASK_FILE, "heads/heads.safetensors", "localizer/model.safetensors"],
)
def test_a_bundle_sealed_without_a_part_is_incomplete(copy, name):
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"a bundle must hold '{name}', found none; export it"):
        load_bundle(sealed_again(copy))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be JSON with the numbers location_bins"),
        ("[" * 100_000, "must be JSON with the numbers location_bins"),
        ("[1]", "must be JSON with the numbers location_bins"),
        ('{"location_bins": 8}', "must be JSON with the numbers location_bins"),
        ('{"location_bins": 8, "candidate_pool": "wide"}', "must be JSON with the numbers"),
        ('{"location_bins": 8, "candidate_pool": 0}', "must hold numbers of 1 or more, found 0"),
    ],
)
def test_settings_of_the_reader_that_make_no_sense_are_refused(copy, text, words):
    (copy / READER_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=f"a bundle's '{READER_FILE}' {words}"):
        load_bundle(sealed_again(copy), "fp32")


def test_a_threshold_of_another_version_is_refused(copy):
    sealed_again(copy, thresholds={"k_per_head": 2, "beam_width": 3})
    with pytest.raises(BundleError, match=r"must follow its schema: .*beam_width: Extra inputs"):
        load_bundle(copy, "fp32")


def test_a_calibration_of_another_version_is_refused(copy):
    sealed_again(copy, calibration={"scaling": {"temperature": "warm"}})
    with pytest.raises(
        BundleError, match=r"must follow its schema: calibration.scaling.temperature: Input should"
    ):
        load_bundle(copy, "fp32")


def test_an_index_of_another_retriever_is_refused(tiny_bundle, tiny_corpus, tmp_path):
    from jomed_app.retrieval.build import build_index
    from tests.tiny_models import build_tiny_retriever

    folder, records = tiny_corpus
    build_index(records[:3], folder, build_tiny_retriever(5), tmp_path / "index", name="other")
    with pytest.raises(IndexMismatchError, match="index 'other' was built with retriever"):
        load_engine(tiny_bundle, tmp_path / "index", precision="fp32")
