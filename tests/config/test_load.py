from __future__ import annotations

import json
import re
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jomed_app.config import (
    CONFIG_FOLDER,
    JomedConfig,
    ReaderConfig,
    RetrieverConfig,
    config_from_dict,
    config_from_stored,
    config_to_dict,
    load_config,
    read_stored_config,
)
from jomed_app.config.load import RETIRED, RETIRED_CHOICES
from jomed_app.config.section import keys_of
from jomed_app.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]
BUNDLE = REPOSITORY / "assets" / "bundle"
OPTIONS = sorted((REPOSITORY / "benchmarks" / "experiments").glob("*/options/*.toml"))
SHIPPED = sorted(CONFIG_FOLDER.glob("*.toml"))


@pytest.fixture
def write(tmp_path):
    def write_toml(text: str):
        path = tmp_path / "run.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_toml


def test_the_configurations_ship():
    assert [path.stem for path in SHIPPED] == ["dinov2", "embedded", "retina", "vqa"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_file_loads_and_opens_with_its_command(path):
    load_config(path)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert re.match(
        rf"# python -m jomed_app train \w+ --config jomed_app/config/{path.name}", first
    )


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_an_option_of_an_experiment_loads_and_opens_with_its_command(path):
    load_config(path)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"# python -m benchmarks.experiments.{path.parts[-3]}.run ")


def test_an_empty_file_gives_the_defaults(write):
    assert load_config(write("")) == JomedConfig()


def test_file_then_overrides_and_the_last_one_wins(write):
    path = write("[reader]\nlora_rank = 4\nnum_layers = 6\n")
    config = load_config(path, ["reader.lora_rank=8", "reader.lora_rank = 32", "app.port=8000"])
    assert (config.reader.lora_rank, config.reader.num_layers, config.app.port) == (32, 6, 8000)


def test_overrides_read_toml_values_and_bare_words(write):
    config = load_config(write(""), ["app.host=0.0.0.0", 'align.data="a b"', "align.lr=1e-4"])
    assert config.app.host == "0.0.0.0"
    assert config.align.data == "a b"
    assert config.align.lr == 1e-4


def test_a_whole_number_will_do_for_a_fraction(write):
    value = load_config(write("[retriever]\nquery_mix = 1\n")).retriever.query_mix
    assert value == 1.0
    assert isinstance(value, float)


def test_derived_values_follow_overrides(write):
    assert load_config(write(""), ["reader.lora_rank=5"]).reader.lora_alpha == 10


def test_stored_values_are_plain_and_come_back_equal(write):
    config = load_config(write("[tower]\nimage_size = 224\n"), ["align.steps=3"])
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[align]\ntemprature = 1.0", "unknown key 'align.temprature'; did you mean "
         "'align.temperature'?"),
        ("[readr]\nlora_rank = 1", "unknown key 'readr'; did you mean 'reader'?"),
        ("zzz = 1", "unknown key 'zzz'; known are tower, reader"),
        ("reader = 3", "'reader' must be a table of settings, found 3"),
        ("[reader]\nlora_rank = 0", "'reader.lora_rank' must be between 1 and 256, found 0"),
        ("[reader]\nlora_rank = true", "'reader.lora_rank' must be a whole number, found True"),
        ("[align]\ndata = 7", "'align.data' must be a text, found 7"),
        ("[align]\ntrained = 'most'", "'align.trained' must be 'all', 'last' or 'none', found "
         "'most'"),
        ("[align]\nlr = nan", "'align.lr' must be between 1e-08 and 1.0, found nan"),
        ("[align]\nsteps = 0", "'align.steps' must be at least 1, found 0"),
        ("[align", "'run.toml' must be valid TOML"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_one_sentence(write, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_config(write(text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("reader.rank=16", "unknown key 'reader.rank'; did you mean 'reader.lora_rank'?"),
        ("reader.lora_rank", "an override must be section.key=value, found 'reader.lora_rank'"),
        ("=3", "an override must be section.key=value"),
        ("reader.lora_rank.deep=1", "'reader.lora_rank' must be a whole number, found {'deep': 1}"),
        ("reader.lora_rank=many", "'reader.lora_rank' must be a whole number, found 'many'"),
    ],
)
def test_a_wrong_override_is_refused_in_one_sentence(write, override, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_config(write("[reader]\nlora_rank = 4\n"), [override])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"a configuration file is required.*absent\.toml"):
        load_config(tmp_path / "absent.toml")


def test_ranges_hold_without_a_file_too():
    with pytest.raises(ValidationError, match=r"query_mix\n +Input should be less than or equal"):
        RetrieverConfig(query_mix=1.5)


def test_every_key_can_be_overridden_with_its_own_default(write):
    defaults = config_to_dict(JomedConfig())
    overrides = []
    for key in keys_of(JomedConfig):
        value = reduce(lambda table, name: table[name], key.split("."), defaults)
        overrides.append(f"{key}={json.dumps(value)}")
    assert load_config(write(""), overrides) == JomedConfig()


@given(rank=st.integers())
def test_a_rank_is_accepted_exactly_inside_its_range(rank):
    if 1 <= rank <= 256:
        assert ReaderConfig(lora_rank=rank).lora_rank == rank
    else:
        with pytest.raises(ConfigError, match="between 1 and 256"):
            config_from_dict({"reader": {"lora_rank": rank}})


def test_a_run_kept_by_an_older_version_can_be_read(tmp_path):
    stored = config_to_dict(JomedConfig())
    for retired in RETIRED:
        section, _, key = retired.partition(".")
        stored.setdefault(section, {})[key or "host"] = "old"
    stored["train_retriever"]["steps"] = 7
    path = tmp_path / "config.json"
    path.write_text(json.dumps(stored))
    assert read_stored_config(path) == config_from_dict({"train_retriever": {"steps": 7}})
    stored["train_retriever"]["num_vews"] = 1
    path.write_text(json.dumps(stored))
    with pytest.raises(ConfigError, match=r"unknown key 'train_retriever.num_vews'"):
        read_stored_config(path)


@pytest.mark.parametrize(
    ("key", "value"), [(key, each) for key, values in RETIRED_CHOICES.items() for each in values]
)
def test_a_choice_that_lost_can_be_read(key, value):
    section, name = key.split(".")
    stored = config_to_dict(JomedConfig())
    stored[section][name] = value
    assert config_from_stored(stored) == JomedConfig()


def test_a_choice_that_lost_cannot_be_set_anew(write):
    key = "train_retriever.target"  # `align.loss` is refused where the losses are known
    with pytest.raises(ConfigError, match=f"'{key}' must be"):
        load_config(write(""), [f"{key}=marginal"])
    with pytest.raises(ConfigError, match=f"'{key}' must be"):
        config_from_stored({"train_retriever": {"target": "another"}})


def test_what_the_shipped_bundle_was_trained_with_can_be_read():
    """Its manifest keeps all values; in place of a folder it says whether there was one."""
    manifest = json.loads((BUNDLE / "manifest.json").read_text(encoding="utf-8"))
    stored = manifest["training"]["configs"]
    assert "ui" in stored, "of an older version"
    for section, key in (
        ("align", "data"),
        ("train_reader", "data"),
        ("train_reader", "start_from"),
    ):
        assert isinstance(stored[section][key], bool)
        stored[section][key] = ""
    assert config_from_stored(stored).retriever.query_mix == 1.0


@pytest.mark.parametrize("retired", RETIRED)
def test_a_retired_setting_cannot_be_set_anew(write, retired):
    key = retired if "." in retired else f"{retired}.host"
    with pytest.raises(ConfigError, match=f"unknown key '{retired}'"):
        load_config(write(""), [f"{key}=2"])
