"""Nothing that is loaded can run code: weights are safetensors, and no file is read as a pickle."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import pytest

from jomed_app.errors import BundleError, IndexMismatchError
from jomed_app.retrieval.index import CandidateIndex
from jomed_app.retrieval.stores import faiss_file as store
from jomed_app.storage.bundle import open_bundle, write_manifest
from tests.retrieval.drawn import DrawnEncoder, draw_case

REPOSITORY = Path(__file__).resolve().parent.parent
CODE = sorted(
    path for folder in ("jomed_app", "benchmarks") for path in (REPOSITORY / folder).rglob("*.py")
)
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
# The one exception: the base weights of the tower ship as a .pth file inside a pinned package. They
# are read when a run is trained, as plain tensors (`weights_only`), never when the app runs.
TORCH_LOADS = {"jomed_app/training/base_weights/efficientnet_lite0.py": 1}
# What a measurement of its own keeps between two calls on one machine.
TORCH_LOADS |= {"benchmarks/experiments/align/data.py": 1}
# Not a file: what a decoder sends to the process that started it, read by an unpickler that makes
# arrays and this package's own values alone (its own tests).
MESSAGES = "jomed_app/imaging/decoder/messages.py"


def loads(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Calls that read a pickle or could: what, and the call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [each.name for each in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
            )
            for name in names:
                if name.split(".")[0] in PICKLES:
                    yield "pickle", ast.Call(ast.Name(name), [], [])
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        if called == "torch.load":
            yield "torch.load", node
        if called in ("np.load", "numpy.load") and said(node, "allow_pickle") not in (
            None,
            "False",
        ):
            yield "np.load with pickle", node
        if said(node, "trust_remote_code") not in (None, "False"):
            yield "code of a model folder", node
        if said(node, "use_safetensors") not in (None, "True"):
            yield "weights in another format", node


def said(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(word.value) for word in call.keywords if word.arg == name), None)


def test_no_weight_format_but_safetensors_is_loaded():
    found: dict[str, int] = {}
    for path in CODE:
        key = path.relative_to(REPOSITORY).as_posix()
        for what, call in loads(ast.parse(path.read_text(encoding="utf-8"))):
            if (key, what) == (MESSAGES, "pickle"):
                continue
            assert what == "torch.load", f"{key} reads {what}"
            assert said(call, "weights_only") == "True", f"{key} must read plain tensors only"
            found[key] = found.get(key, 0) + 1
    assert found == TORCH_LOADS


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import pickle", "pickle"),
        ("from joblib import load", "pickle"),
        ("torch.load('x')", "torch.load"),
        ("np.load('x', allow_pickle=True)", "np.load with pickle"),
        ("AutoModel.from_pretrained('x', trust_remote_code=True)", "code of a model folder"),
        ("AutoModel.from_pretrained('x', use_safetensors=False)", "weights in another format"),
    ],
)
def test_a_breach_is_found(line, what):
    assert [each for each, _ in loads(ast.parse(line))] == [what]


@pytest.mark.parametrize("name", ["reader/pytorch_model.bin", "reader/model.pt", "x.pkl", "a.py"])
def test_a_bundle_holds_no_file_that_could_be_code(name, tmp_path):
    """transformers takes `pytorch_model.bin`, a pickle, where a folder has no safetensors."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"\x80\x04.")
    write_manifest(tmp_path, name="x", version="1", task="breast", labels=("a",))
    with pytest.raises(BundleError, match=r"may hold no files but .*safetensors.*, found '"):
        open_bundle(tmp_path)


def test_the_released_bundle_holds_safetensors_and_text_alone():
    names = open_bundle(REPOSITORY / "assets" / "bundle", verify=False).manifest.files
    suffixes = {Path(name).suffix for name in names}
    assert ".safetensors" in suffixes
    assert suffixes <= {".safetensors", ".json", ".md", ".txt", ".jinja"}


@pytest.fixture
def drawn_index(tmp_path):
    from jomed_app.retrieval.build import build_index

    records = [draw_case(tmp_path / "corpus", number, group=str(number)) for number in range(4)]
    build_index(records, tmp_path / "corpus", DrawnEncoder(), tmp_path / "index", name="drawn")
    return tmp_path / "index"


def test_no_flipped_byte_reaches_faiss(drawn_index, monkeypatch):
    """faiss trusts what it reads: a header that lies makes it read where nothing is."""
    read = []
    deserialize = faiss.deserialize_index
    monkeypatch.setattr(
        store.faiss, "deserialize_index", lambda c: read.append(bytes(c)) or deserialize(c)
    )
    CandidateIndex.load(drawn_index, "a1b2")
    whole = {name: (drawn_index / f"{name}.faiss").read_bytes() for name in ("image", "text")}
    assert read == list(whole.values())
    read.clear()
    path = drawn_index / "image.faiss"
    for place in np.random.default_rng(0).integers(0, len(whole["image"]), 48).tolist():
        flipped = bytearray(whole["image"])
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(IndexMismatchError, match=r"'image\.faiss' was altered"):
            CandidateIndex.load(drawn_index, "a1b2")
    assert read == []


def test_an_index_that_changes_after_the_check_does_not_reach_faiss(drawn_index, monkeypatch):
    """The bytes that faiss gets are the bytes that were hashed, not those of a second look."""
    from jomed_app.retrieval import index

    check = index.check_index_files

    def swap(folder, manifest):
        check(folder, manifest)
        shutil.copyfile(folder / "text.faiss", folder / "image.faiss")

    monkeypatch.setattr(index, "check_index_files", swap)
    monkeypatch.setattr(store.faiss, "deserialize_index", lambda *_: pytest.fail("read it"))
    with pytest.raises(IndexMismatchError, match=r"'image\.faiss' was altered"):
        CandidateIndex.load(drawn_index, "a1b2")
