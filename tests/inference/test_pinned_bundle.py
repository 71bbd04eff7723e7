"""A bundle of large models: exported, checked, asked, and refused when its base is another."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from huggingface_hub import constants

from jomed_app.cli.main import main
from jomed_app.inference.load import load_engine
from jomed_app.models.weights.pinned import PLACES_VARIABLE
from jomed_app.storage.bundle import open_bundle
from jomed_app.types import Result
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.tiny_dual_encoders import write_tiny_dual_encoder
from tests.tiny_vlms import write_tiny_vlm

FILE = """
task = "breast"
question = "Is it normal, benign or malignant?"

[reader]
model = "reader"
precision = "fp32"
device = "cpu"

[retriever]
model = "retriever"
device = "cpu"
"""

COMMIT = "0123456789abcdef" * 2 + "01234567"

pytestmark = pytest.mark.usefixtures("log_elsewhere")


def write_tiny_adapter(reader, folder):
    """A LoRA adapter of a tiny reader whose second factor is not zero, as training leaves it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(reader)
    config = LoraConfig(r=2, target_modules=r".*language_model.*\.[qv]_proj")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        adapted = get_peft_model(model, config)
        for key, weight in adapted.named_parameters():
            if "lora_B" in key:
                torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of models, a file that names them, and a run that holds an adapter."""
    folder = tmp_path_factory.mktemp("pinned")
    write_tiny_vlm("qwen2_5_vl", folder / "reader")
    write_tiny_dual_encoder("siglip2", folder / "retriever")
    (folder / "mine.toml").write_text(FILE, encoding="utf-8")
    (folder / "query.png").write_bytes(simulated_png(FIRST_FRESH_SEED))
    write_tiny_adapter(folder / "reader", folder / "run" / "reader" / "adapter")
    return folder


@pytest.fixture(scope="module")
def bundle(place):
    out = place / "bundle"
    words = ["bundle", "export", "--config", str(place / "mine.toml"), "--out", str(out)]
    assert main([*words, "--run", str(place / "run")]) == 0
    return out


@pytest.fixture(scope="module")
def index(place, bundle, tiny_corpus):
    out = place / "index"
    words = ["index", "build", "--corpus", str(tiny_corpus[0]), "--bundle", str(bundle)]
    assert main([*words, "--out", str(out)]) == 0
    return out


@pytest.fixture
def moved(place, bundle, tmp_path):
    """The bundle and its models, copied to another place."""
    for name in ("reader", "retriever", "bundle"):
        shutil.copytree(place / name, tmp_path / name)
    return tmp_path


def verified(folder, capsys):
    code = main(["bundle", "verify", str(folder)])
    said = capsys.readouterr()
    return code, said.out, said.err.strip().splitlines()[-1] if said.err.strip() else ""


def test_it_holds_what_was_learned_and_no_place(place, bundle):
    manifest = open_bundle(bundle).manifest
    assert set(manifest.files) == {
        "MODEL_CARD.md", "backbones.json", "task.json",
        "reader/adapter/adapter_config.json", "reader/adapter/adapter_model.safetensors",
    }  # fmt: skip
    assert manifest.training.stages == ("reader",)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(
        manifest.pinned["reader"].files
    )
    for name in (*manifest.files, "manifest.json"):
        if not name.endswith(".safetensors"):
            assert str(place) not in (bundle / name).read_text(encoding="utf-8"), name


def test_verify_names_every_model_and_says_that_nothing_was_measured(bundle, capsys):
    code, said, _ = verified(bundle, capsys)
    assert code == 0
    assert "every file matches its hash" in said
    assert "reader reader: " in said
    assert "retriever retriever: " in said
    assert "no calibration: its probabilities were never measured" in said


def test_info_prints_the_manifest_without_hashes(bundle, capsys):
    assert main(["bundle", "info", str(bundle)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pinned"]["reader"] == {"model": "reader", "revision": ""}
    assert told["profiles"] == {}


def test_one_flipped_byte_of_the_base_is_refused_in_one_sentence(moved, capsys):
    weights = moved / "reader" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    code, _, said = verified(moved / "bundle", capsys)
    assert code == 2
    assert "the reader 'reader' must be the one that the bundle pins: 'model.safetensors'" in said
    assert "requires sha256" in said
    assert "copy the model that the bundle was made with to its place" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda base: (base / "tokenizer.json").unlink(), "found no 'tokenizer.json'; copy"),
        (
            lambda base: (base / "adapter_config.json").write_text("{}"),
            "found 'adapter_config.json', which it was made without",
        ),
        (lambda base: (base / "model.safetensors").unlink(), "found no 'model.safetensors'"),
        (shutil.rmtree, "or in a folder that JOMED_MODELS names"),
    ],
)
def test_a_base_that_is_not_the_one_is_refused(moved, capsys, change, message):
    change(moved / "reader")
    code, _, said = verified(moved / "bundle", capsys)
    assert code == 2
    assert message in said


def test_models_may_lie_in_a_folder_that_is_named(moved, tmp_path_factory, monkeypatch, capsys):
    elsewhere = tmp_path_factory.mktemp("models")
    for name in ("reader", "retriever"):
        shutil.move(moved / name, elsewhere / name)
    monkeypatch.setenv(PLACES_VARIABLE, f"{moved / 'nothing'}:{elsewhere}")
    assert verified(moved / "bundle", capsys)[0] == 0


@pytest.fixture
def cached(place, tmp_path, monkeypatch):
    """The same models in a cache of the Hub, by name and commit; files are links, as there."""
    for name in ("reader", "retriever"):
        folder = tmp_path / "hub" / f"models--owner--{name}"
        snapshot = folder / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        (folder / "blobs").mkdir()
        for number, path in enumerate(sorted((place / name).iterdir())):
            shutil.copyfile(path, folder / "blobs" / str(number))
            (snapshot / path.name).symlink_to(folder / "blobs" / str(number))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    text = (place / "mine.toml").read_text(encoding="utf-8")
    for name in ("reader", "retriever"):
        text = text.replace(f'model = "{name}"', f'model = "owner/{name}"\nrevision = "{COMMIT}"')
    (tmp_path / "hub.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_model_of_the_hub_is_pinned_to_its_commit(cached, place, index, capsys):
    out = cached / "bundle"
    words = ["bundle", "export", "--config", str(cached / "hub.toml"), "--out", str(out)]
    assert main(words) == 0
    pinned = open_bundle(out).manifest.pinned["reader"]
    assert (pinned.model, pinned.revision) == ("owner/reader", COMMIT)
    assert pinned.reference == f"owner/reader at {COMMIT[:8]}"
    capsys.readouterr()
    code, said, _ = verified(out, capsys)
    assert (code, f"reader owner/reader at {COMMIT[:8]}: " in said) == (0, True)
    words = ["diagnose", str(place / "query.png"), "--index", str(index), "--json"]
    assert main([*words, "--bundle", str(out)]) == 0
    told = Result.model_validate_json(capsys.readouterr().out.splitlines()[-1])
    assert told.versions.reader.endswith(f": owner/reader at {COMMIT[:8]}")
    snapshot = cached / "hub" / "models--owner--reader" / "snapshots" / COMMIT
    (snapshot / "model.safetensors").resolve().write_bytes(b"other weights")
    code, _, said = verified(out, capsys)
    assert code == 2
    assert said.endswith(f"hf download owner/reader --revision {COMMIT}")
    (snapshot / "config.json").unlink()
    code, _, said = verified(out, capsys)
    assert (code, "is not on this machine" in said) == (2, True)


def test_it_answers_and_says_by_what(place, bundle, index, capsys):
    words = ["diagnose", str(place / "query.png"), "--index", str(index), "--json"]
    assert main([*words, "--bundle", str(bundle)]) == 0
    told = Result.model_validate_json(capsys.readouterr().out.splitlines()[-1])
    assert main([*words, "--bundle", str(place / "mine.toml")]) == 0
    plain = Result.model_validate_json(capsys.readouterr().out.splitlines()[-1])
    assert told.versions.bundle.startswith("mine 1 (")
    assert ": reader, adapter " in told.versions.reader
    assert told.versions.retriever.endswith(": retriever")
    assert told.versions.precision == "fp32"
    assert told.final.probabilities != plain.final.probabilities, "the adapter is read"
    assert told.question == plain.question == "Is it normal, benign or malignant?"


def test_a_replay_from_the_bundle_is_the_same_answer(place, bundle, index, capsys):
    words = ["diagnose", str(place / "query.png"), "--index", str(index), "--json"]
    answers = []
    for _ in range(2):
        assert main([*words, "--bundle", str(bundle)]) == 0
        told = Result.model_validate_json(capsys.readouterr().out.splitlines()[-1])
        answers.append((told.final, told.candidates, told.versions))
    assert answers[0] == answers[1]


def test_loading_tells_how_far_it_is(bundle, index):
    seen = []
    load_engine(bundle, index, on_load=lambda step, done, total: seen.append((step, done, total)))
    steps = list(dict.fromkeys(step for step, _, _ in seen))
    assert steps == [
        "checking the reader's files", "checking the retriever's files",
        "loading the retriever", "loading the reader",
    ]  # fmt: skip
    for step in steps:
        done = [(at, total) for name, at, total in seen if name == step]
        assert done == sorted(done)
        assert done[-1][0] == done[-1][1] > 0


def test_what_the_listener_raises_ends_the_loading(bundle, index):
    def stop(step, done, total):
        if step == "loading the reader" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_engine(bundle, index, on_load=stop)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "x"], "requires --run, a folder that train wrote to, or --config"),
        (["--out", "x", "--run", "run", "--config", "mine.toml"], "found neither an adapter nor"),
        (["--out", "x", "--config", "served.toml"], "a reader whose weights can be pinned"),
    ],
)
def test_an_export_that_cannot_be_made_is_one_sentence(
    place, tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "mine.toml").write_text(FILE.replace('"re', f'"{place}/re'))
    served = FILE.replace('model = "reader"\nprecision = "fp32"\ndevice = "cpu"', "")
    server = 'url = "http://127.0.0.1:1/v1"\nmodel = "m"\nserver = "openai"'
    (tmp_path / "served.toml").write_text(served.replace("[reader]", f"[reader]\n{server}"))
    assert main(["bundle", "export", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
