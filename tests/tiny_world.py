"""A folder laid out as the documentation's words say: `IMAGE` is an image, `RUN` a trained run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jomed_app.cli import main as cli
from jomed_app.config import JomedConfig, config_to_dict
from jomed_app.data.records import read_records, write_records
from tests.data.archive.test_take import table, write
from tests.data.formats.boxed_images import draw_image
from tests.data.sources.test_retina import fundus, png, write_table
from tests.evaluation.questions.asked_images import write_asked_images, write_asked_task
from tests.storage.test_signature import sign_here, write_key
from tests.test_own_task import code_block, write_wrist_cases
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png
from tests.tiny_dual_encoders import write_tiny_dual_encoder
from tests.tiny_run import tiny_config
from tests.tiny_vlms import write_tiny_vlm

REPOSITORY = Path(__file__).resolve().parent.parent
PLACE = ["--bundle", "assets/bundle", "--index", "index/simulated"]
QUESTIONS = (
    'tasks=["asked.toml"]', "steps=2", "images_per_step=2", "num_hits=2",
    "taught_questions=4", "taught_candidates=3",
)  # fmt: skip
FEW_STEPS = (
    "train_reader.steps=2", "train_retriever.steps=2", "train_retriever.num_image=2",
    "align.projector_steps=1", "align.steps=1", "align.batch_size=4", "align.batches_per_step=1",
    "train_rewards.warm_steps=1", "train_rewards.steps=1", "train_rewards.batch_size=1",
    "train_rewards.rollouts=2", "train_rewards.max_tokens=4",
)  # fmt: skip
RECIPE_FAMILIES = {
    "qwen2vl_7b": "qwen2_vl", "pixtral_12b": "pixtral", "qwen2_5vl_7b": "qwen2_5_vl",
    "qwen3vl_4b": "qwen3_vl", "medgemma_4b": "gemma3", "smolvlm_500m": "smolvlm",
}  # fmt: skip
# Indexes that one command of docs/tasks.md or docs/backbones.md builds and the next one takes.
INDEXES = {
    "out/wrist": "index build --task wrist.toml --data FOLDER --split train --out out/wrist",
    "out/mine": "index build --corpus out/cases --bundle mine.toml --out out/mine",
    "out/index/busi": "index build --task breast --data out/data/busi --out out/index/busi",
    "out/index": "index build --corpus FOLDER --new-labels phyllodes --out out/index",
}
TAKE = "data take DICOM_FOLDER --labels labels.csv --key key.txt --out out/data/mine"
GET_SET = "data get busi --accept-licence --from ARCHIVE"


def put_models(path: Path) -> None:
    """The file of docs/backbones.md beside the two models that it names."""
    page = (REPOSITORY / "docs" / "backbones.md").read_text(encoding="utf-8")
    block = page.split("```toml\n")[1].split("```")[0]
    path.write_text("\n".join(line.strip() for line in block.splitlines()), encoding="utf-8")
    write_tiny_vlm("qwen2_5_vl", path.parent / "reader")
    write_tiny_dual_encoder("siglip2", path.parent / "retriever")


class TinyWorld:
    """Lays out what a command names, in the current folder, and makes the command small.

    Args:
        folder: the current one; empty.
        tiny: returns what a fixture of that name holds.
    """

    def __init__(self, folder: Path, tiny: Callable[[str], Any]) -> None:
        self.folder, self.tiny, self.is_retina = folder, tiny, False
        (folder / "jomed_app").symlink_to(REPOSITORY / "jomed_app")
        self.makers: dict[str, Callable[[Path], object]] = {
            "wrist.toml": lambda path: path.write_text(code_block("toml"), encoding="utf-8"),
            "mine.toml": put_models,
            "out/tuned/tuned.toml": put_models,
            "IMAGE": lambda path: path.write_bytes(simulated_png(FIRST_FRESH_SEED)),
            "image.png": lambda path: path.write_bytes(simulated_png(FIRST_FRESH_SEED)),
            "DIR": self.copy_of("tiny_real_cases"),
            "FOLDER": self.put_folder,
            "DATA": self.put_public_set,
            "ROOT": self.put_public_set,
            "ARCHIVE": self.put_published_set,
            "DICOM_FOLDER": self.put_archive,
            "RUN": self.copy_of("tiny_run"),
            "EMBEDDED_RUN": self.copy_of("tiny_run"),
            "checkpoints/embedded": self.copy_of("tiny_run"),
            "out/cases": self.put_cases,
            "out/simulated": self.put_cases,
            "assets/bundle": self.copy_of("tiny_bundle"),
            "index/simulated": self.copy_of("tiny_index"),
            "out/bundle": self.pin_models,
            "out/case/case.json": self.save_case,
            "key.pem": write_key,
            "public.pem": lambda path: sign_here(path, self.folder / "assets" / "bundle"),
        }

    def typed(self, words: Sequence[str]) -> list[str]:
        """The command with options that make it small; what it reads is laid out."""
        self.is_retina = any("retina" in word for word in words)
        words = [*words, *self.smaller(words)]
        written = words[words.index("--out") + 1] if "--out" in words else ""
        if words[0] == "train" and ("--resume" in words or words[1] not in ("all", "align")):
            written = "" if words[1] != "questions" else written  # goes on in a trained run
        named = {part for word in words for part in word.split("=")} - {written}
        for name, make in self.makers.items():
            path = self.folder / name
            if name in named and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                make(path)
        if "out/data/mine" in words and words[0] == "index":
            assert cli.main(self.typed(TAKE.split())) == 0
        if "out/data/busi" in words and not (self.folder / "out" / "data" / "busi").exists():
            assert cli.main(self.typed(GET_SET.split())) == 0
        if words[:2] == ["index", "measure"] and not Path(words[2]).exists():
            assert cli.main(self.typed(INDEXES[words[2]].split())) == 0
        if "--index" in words and (index := words[words.index("--index") + 1]) in INDEXES:
            assert cli.main(self.typed(INDEXES[index].split())) == 0
        return words

    def smaller(self, words: Sequence[str]) -> list[str]:
        """Options that make a command small, or keep it to the tiny bundle and index."""
        match words[0]:
            case "simulate":
                return ["--size", "96", "--workers", "1"]
            case "diagnose" | "evaluate" | "serve":
                given = range(0, len(PLACE), 2)
                return [w for at in given if PLACE[at] not in words for w in PLACE[at : at + 2]]
            case "index" if words[1] in ("build", "measure") and "--bundle" not in words:
                return PLACE[:2]
            case "train" if "mine.toml" in words:
                return [word for each in FEW_STEPS for word in ("--set", each)]
            case "train" if recipe := next((w for w in words if "recipes/" in w), ""):
                return self.recipe(Path(recipe).stem)
            case "train":
                return [word for each in self.settings(words) for word in ("--set", each)]
        return []

    def recipe(self, name: str) -> list[str]:
        """Overrides that put a tiny model of a recipe's family in the place of the weights."""
        write_tiny_vlm(RECIPE_FAMILIES[name], self.folder / "tiny" / "reader")
        write_tiny_dual_encoder("siglip", self.folder / "tiny" / "retriever")
        models = [f'{part}.model="tiny/{part}"' for part in ("reader", "retriever")]
        commits = [f'{part}.revision=""' for part in ("reader", "retriever")]
        small = ['task="breast"', 'reader.precision="fp32"', "reader.max_side_px=56"]
        small += ["train_reader.steps=2", "train_reader.batches_per_step=1"]
        return [word for each in (*models, *commits, *small) for word in ("--set", each)]

    def settings(self, words: Sequence[str]) -> list[str]:
        """Overrides that make training tiny; all of them where a finished run is taken up."""
        tiny, known = config_to_dict(tiny_config()), config_to_dict(JomedConfig())
        found = {
            f"{section}.{key}": json.dumps(value)
            for section, table in tiny.items()
            for key, value in table.items()
            if not isinstance(value, dict)
            if "--resume" in words or value != known[section][key]
        }
        found.setdefault("align.language_steps", "2")
        if any("dinov2" in word for word in words):  # patches of 14 px
            found |= {"tower.image_size": "56", "tower.tokens": "2", "train_reader.views": "2"}
            found |= {"train_localizer.image_size": "56"}
        for given in (*words, "train_reader.folds" * self.is_retina):  # its split is the file's
            found.pop(given.partition("=")[0], None)
        asked = QUESTIONS if words[1] == "questions" else ()
        return [*(f"{k}={v}" for k, v in found.items()), *(f"train_questions.{q}" for q in asked)]

    def save_case(self, path: Path) -> None:
        """A saved result of the image."""
        words = f"diagnose IMAGE --export json --out {path.parent.relative_to(self.folder)}"
        assert cli.main(self.typed(words.split())) == 0

    def copy_of(self, fixture: str) -> Callable[[Path], object]:
        return lambda path: shutil.copytree(self.tiny(fixture), path)

    def put_published_set(self, path: Path) -> None:
        """A folder of drawn images in the published layout of BUSI."""
        for label in ("normal", "benign", "malignant"):
            for number in (1, 2):
                place = path / "Dataset_BUSI_with_GT" / label / f"{label} ({number}).png"
                draw_image(place, 90, 80, len(label) * number)

    def put_archive(self, path: Path) -> None:
        """Two DICOM files, and the table of labels beside the folder."""
        for number in (1, 2):
            write(path / f"{number}.dcm", number, number=str(number), patient=str(number))
        rows = (("1.dcm", "benign", "", ""), ("2.dcm", "malignant", "", ""))
        table(self.folder / "labels.csv", "file", *rows)

    def pin_models(self, path: Path) -> None:
        """A bundle of the models that docs/backbones.md names, which lie beside the file."""
        if not (self.folder / "mine.toml").exists():
            put_models(self.folder / "mine.toml")
        words = ["bundle", "export", "--config", str(self.folder / "mine.toml"), "--out", str(path)]
        assert cli.main(words) == 0

    def put_cases(self, path: Path) -> None:
        shutil.copytree(self.tiny("tiny_corpus")[0], path)

    def put_folder(self, path: Path) -> None:
        """Cases of the page's own task; without it, of `breast`, one under a label of its own."""
        if (self.folder / "wrist.toml").exists():
            path.mkdir()
            write_wrist_cases(path)
            return
        self.put_cases(path)
        first, *others = read_records(path)
        write_records(path, [first.model_copy(update={"label": "phyllodes"}), *others])

    def put_public_set(self, path: Path) -> None:
        """Images that the task `asked.toml` asks about; for a reader of its own, fundus images."""
        path.mkdir()
        if self.is_retina:
            write_table(path, [png(fundus(seed)) for seed in range(10)], [*range(5), *range(5)])
        else:
            write_asked_task(self.folder)
            write_asked_images(path)
