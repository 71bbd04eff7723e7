from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from jomed_app.config.load import config_from_dict
from jomed_app.errors import BundleError
from jomed_app.inference.load import load_bundle
from jomed_app.models.retriever.embedded import RetrieverProjections
from jomed_app.storage.bundle import open_bundle
from jomed_app.training import export
from jomed_app.training.export import make_bundle, write_config
from tests.tiny_run import NUM_REAL, tiny_config


@pytest.fixture(scope="module")
def manifest(tiny_export):
    return open_bundle(tiny_export).manifest


def test_the_manifest_says_what_it_was_made_from(manifest, tiny_run):
    assert (manifest.name, manifest.version, manifest.task) == ("tiny-export", "3", "breast")
    assert manifest.labels == ("normal", "benign", "malignant")
    assert manifest.training.stages == ("align", "reader", "retriever")
    assert set(manifest.training.seeds) == {"align", "reader", "folds", "simulation"}
    cases = {each.name: each.cases for each in manifest.training_data}
    assert list(cases.values()) == [6, 12, NUM_REAL]
    assert len({each.sha256 for each in manifest.training_data}) == 3
    assert {each.licence for each in manifest.base_weights} == {"Apache-2.0"}


def test_the_manifest_tells_no_folder_or_address_of_the_machine(manifest, tiny_real_cases):
    stored = manifest.training.configs
    assert "app" not in stored
    assert str(tiny_real_cases) not in json.dumps(stored)
    assert (stored["train_reader"]["data"], stored["align"]["data"]) == (True, False)
    assert stored["train_questions"]["start"] is False


def test_the_settings_are_those_fitted_out_of_fold(manifest, tiny_run):
    fitted = json.loads((tiny_run / "cv" / "settings.json").read_text())
    assert set(manifest.profiles) == {"real", "simulated"}
    for kind, profile in manifest.profiles.items():
        assert profile["thresholds"] == fitted[kind]["thresholds"]
        assert profile["calibration"] == fitted[kind]["calibration"]
        assert profile["measured_on"] == fitted[kind]["measured_on"]
    assert set(manifest.prompts) == {"query", "candidate", "no_candidate"}


def test_the_metrics_are_those_of_the_reports(manifest, tiny_run):
    report = json.loads((tiny_run / "cv" / "report.json").read_text())
    assert set(manifest.metrics) == {
        f"{task}, {corpus}"
        for task in ("breast", "breast-binary")
        for corpus in ("other-folds", "simulated-index")
    }
    for system, figures in manifest.metrics["breast, other-folds"].items():
        assert figures["accuracy"] == report["systems"][system]["accuracy"]


def test_no_folder_of_the_machine_is_told(tiny_export, tiny_run, tiny_real_cases):
    for path in tiny_export.rglob("*"):
        if path.suffix in {".json", ".md", ".jinja"}:
            text = path.read_text(encoding="utf-8")
            assert str(tiny_run) not in text, path.name
            assert str(tiny_real_cases) not in text, path.name


def test_the_card_warns_and_holds_the_figures(tiny_export, manifest):
    card = (tiny_export / "MODEL_CARD.md").read_text()
    assert card.startswith("# tiny-export 3\n")
    assert "Not a medical device" in card
    rag = manifest.metrics["breast, other-folds"]["rag"]
    assert f"| breast, other-folds | rag | {rag['accuracy']:.3f} |" in card


def test_the_reader_is_stored_in_four_bits(tiny_export):
    config = json.loads((tiny_export / "reader" / "config.json").read_text())
    assert config["quantization_config"]["bnb_4bit_quant_type"] == "nf4"
    parts = load_bundle(tiny_export, "fp32")
    assert (parts.reader.location_bins, parts.reader.candidate_pool) == (16, 2)
    assert parts.backbone.weight.shape[0] == 3


def test_one_folds_models_can_be_shipped(tiny_run, tiny_export, tmp_path):
    """What the fold held out is then unseen by everything in the bundle."""
    run = shutil.copytree(tiny_run, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["train_reader"]["shipped_fold"] = 1
    (run / "config.json").write_text(json.dumps(config))
    for part in ("reader", "localizer"):
        shutil.rmtree(run / part / "final")
    manifest = make_bundle(run, tmp_path / "bundle")
    held_out = json.loads((run / "cv" / "raw.fold1.json").read_text())
    assert manifest.training_data[-1].cases == NUM_REAL - len(held_out)
    weights = "localizer/model.safetensors"
    stored = load_file(tmp_path / "bundle" / weights)
    trained = load_file(run / "localizer" / "fold1" / "model.safetensors")
    assert stored.keys() == trained.keys()
    assert all(torch.equal(stored[name], value.bfloat16()) for name, value in trained.items())
    assert (tmp_path / "bundle" / weights).read_bytes() != (tiny_export / weights).read_bytes()


def test_trained_heads_are_shipped_with_both_profiles(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    place = run / "retriever" / "final" / "seed0" / "projections"
    heads = RetrieverProjections.from_pretrained(place)
    settings = json.loads((run / "cv" / "settings.json").read_text())
    for each in settings.values():
        each["measured_on"] = "trained"
    (run / "cv" / "settings.json").write_text(json.dumps(settings))
    shutil.rmtree(run / "retriever")
    manifest = make_bundle(run, tmp_path / "plain")
    assert manifest.training.stages == ("align", "reader")
    for kind, profile in manifest.profiles.items():
        assert "standard" not in profile
        assert profile["measured_on"] == settings[kind]["standard"]["measured_on"]
    for head in heads.query_heads.values():
        torch.nn.init.normal_(head.weight)
    heads.save_pretrained(place)
    manifest = make_bundle(run, tmp_path / "trained")
    assert manifest.training.stages == ("align", "reader", "retriever")
    for kind, profile in manifest.profiles.items():
        assert profile["measured_on"] == "trained"
        assert profile["standard"]["measured_on"] == settings[kind]["standard"]["measured_on"]
    parts = load_bundle(tmp_path / "trained", "fp32")
    assert parts.has_trained_heads
    assert all(profile.standard is not None for profile in parts.profiles.values())
    assert set(parts.profiles) == {"real", "simulated"}


def test_an_older_bundle_is_replaced_and_nothing_is_left_beside(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    out = tmp_path / "bundles" / "bundle"
    out.mkdir(parents=True)
    (out / "old.txt").write_text("old")
    steps = []
    make_bundle(run, out, on_progress=lambda done, total, **_: steps.append((done, total)))
    assert not (out / "old.txt").exists()
    assert [path.name for path in out.parent.iterdir()] == ["bundle"]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    open_bundle(out)


@pytest.mark.parametrize(
    "missing", ["config.json", "cv/settings.json", "reader/final", "localizer/final"]
)
def test_an_unfinished_run_gives_no_bundle(tiny_run, tmp_path, missing):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "cv", "reader", "localizer"):
        source = tiny_run / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, run / name)
    (shutil.rmtree if (run / missing).is_dir() else type(run).unlink)(run / missing)
    with pytest.raises(BundleError, match=f"requires '{missing}' in the run's folder; finish"):
        make_bundle(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_too_large_is_not_put_in_place(tiny_run, tmp_path, monkeypatch):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    check = export.check_size_limit
    monkeypatch.setattr(export, "check_size_limit", lambda manifest: check(manifest, 1000))
    with pytest.raises(BundleError, match=r"must be at most 0.0 MiB.*largest file"):
        make_bundle(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_the_config_is_kept_beside_the_run(tmp_path):
    config = tiny_config()
    write_config(tmp_path / "new" / "run", config)
    stored = json.loads((tmp_path / "new" / "run" / "config.json").read_text())
    assert config_from_dict(stored) == config
