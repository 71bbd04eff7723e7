"""Floors, doors, sizes and light imports, read from the syntax tree."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "jomed_app"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A folder or a top-level module -> its floor. Import from a lower floor or your own folder.
FLOORS = {
    "__init__": 0, "types": 0, "errors": 0, "boxes": 0, "progress": 0, "config": 0,
    "storage": 1, "imaging": 1, "objectives": 1,
    "data": 2, "feedback": 3, "simulator": 3, "models": 3, "retrieval": 4,
    "inference": 5, "export": 6, "training": 6, "batch": 7, "evaluation": 7, "ui": 8,
    "server": 9, "cli": 10, "__main__": 11,
}  # fmt: skip

# A third-party library -> the files (or folders, with a slash) that may import it.
DOORS = {
    "pydicom": ("imaging/", "export/dicom/"),  # reads files, and writes objects
    "highdicom": ("export/dicom/",),
    "reportlab": ("export/page.py",),
    "pylibjpeg": ("imaging/",),
    "jpeg_ls": ("imaging/",),
    "gdcm": ("imaging/dicom/gdcm_jpeg.py",),
    "onnx": ("training/base_weights/dinov2_small.py",),
    "onnxruntime": ("imaging/content/text.py",),
    "cryptography": ("storage/signature.py",),
    "faiss": ("retrieval/stores/faiss_file.py",),
    "pymilvus": ("retrieval/stores/milvus.py",),
    "psycopg": ("retrieval/stores/postgres.py",),
    "pgvector": ("retrieval/stores/postgres.py",),
    "gradio": ("ui/layout/", "ui/gradio_memory.py"),
    "starlette": ("server/",),
    "fastapi": ("server/",),
    "uvicorn": ("server/",),
    "prometheus_client": ("server/metrics.py",),
    "markdown_it": ("ui/panels/pages/markdown.py",),
    "jinja2": ("ui/templates.py", "evaluation/report/pages/markdown.py"),
    "bitsandbytes": ("models/loading.py",),
    "httpx": ("models/reader/remote/client.py", "data/fetch/https.py"),
    "huggingface_hub": ("storage/hub.py", "models/foreign/faults.py"),
    "peft": ("models/adapters.py",),
    "trl": ("training/rewards/text/by_trl.py",),
    "datasets": ("training/rewards/text/by_trl.py",),
    "typer": ("cli/",),
    "rich": ("cli/tables.py", "progress.py"),
    "torchvision": (),
    "timm": (),
    "open_clip": (),
}
NO_TORCH = ("imaging/", "export/", "ui/", "server/", "cli/")

# What a module may call while it is imported: declarations of values, nothing that works.
IMPORT_TIME_CALLS = {
    "Annotated", "Field", "Path", "TypeVar", "ConfigDict", "NewType", "TypeAdapter",
    "add_typer", "command", "callback", "compile", "dataclass", "enum", "field", "frozenset",
    "getLogger", "Option", "Argument", "Typer", "namedtuple", "field_validator",
    "model_validator", "field_serializer", "model_serializer", "lru_cache", "wraps", "resolve",
    "set", "tuple", "struct", "bool_",
    "dict", "range", "len", "sorted", "sum", "min", "max", "frozen", "auto", "MappingProxyType",
    "joinpath", "files", "isdisjoint", "keys", "values", "items", "fromkeys", "join", "split",
    "no_grad", "inference_mode", "device", "array", "empty", "float32", "overload",
    "float64", "int32", "list_", "map_", "schema", "string",
}  # fmt: skip
NOT_AT_IMPORT = {"TYPE_CHECKING", "__name__ == '__main__'"}
BAD_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}
MOST_LOOSE = 6  # modules outside of any room, __init__.py and __main__.py among them
MOST_FILES = 12


def _key(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _unit(path: Path) -> str:
    """The folder or the top-level module that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (dotted module, line) of every import, those inside functions too."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_key(path)}:{node.lineno} must import by full name"
            module = node.module or ""
            if module == "jomed_app":
                for name in node.names:
                    yield f"jomed_app.{name.name}", node.lineno
            else:
                yield module, node.lineno


def floor_faults(path: Path) -> list[str]:
    own = _unit(path)
    faults = []
    for module, line in _imports(path):
        parts = module.split(".")
        if parts[0] != "jomed_app" or len(parts) < 2 or parts[1].startswith("__"):
            continue
        target = parts[1]
        if target == own or FLOORS[target] < FLOORS[own] or FLOORS[target] == FLOORS[own] == 0:
            continue
        faults.append(f"{_key(path)}:{line} imports {target} (floor {FLOORS[target]})")
    return faults


def door_faults(path: Path) -> list[str]:
    key = _key(path)
    faults = []
    for module, line in _imports(path):
        library = module.split(".")[0]
        if library in DOORS and not _is_in(key, DOORS[library]):
            faults.append(f"{key}:{line} imports {library}, its door is {DOORS[library]}")
        if library == "torch" and _is_in(key, NO_TORCH):
            faults.append(f"{key}:{line} imports torch")
    return faults


def _is_in(key: str, places: tuple[str, ...]) -> bool:
    return any(key.startswith(place) if place[-1] == "/" else key == place for place in places)


def print_faults(path: Path) -> list[str]:
    return [
        f"{_key(path)}:{node.lineno} prints"
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "breakpoint", "input"}
    ]


def import_time_faults(path: Path) -> list[str]:
    """Calls that run when the module is imported and are not mere declarations."""
    tree = _tree(path)
    own = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return [
        f"{_key(path)}:{call.lineno} calls {_called(call)} at import"
        for call in _calls_at_import(tree.body)
        if not _is_declaration(call, own)
    ]


def _called(call: ast.Call) -> str:
    """The last word of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else "something"


def _is_declaration(call: ast.Call, own: dict[str, ast.FunctionDef]) -> bool:
    """A listed word, a class, or a function of this module that calls nothing else."""
    word = _called(call)
    if word in own:
        inner = [node for node in ast.walk(own[word]) if isinstance(node, ast.Call)]
        return all(_called(node) in IMPORT_TIME_CALLS for node in inner)
    return word in IMPORT_TIME_CALLS or word.lstrip("_")[:1].isupper()


def _calls_at_import(body: list[ast.stmt]) -> Iterator[ast.Call]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            roots: list[ast.AST] = [*statement.decorator_list, *statement.args.defaults]
        elif isinstance(statement, ast.ClassDef):
            yield from _calls_at_import(statement.body)
            roots = list(statement.decorator_list)
        elif isinstance(statement, ast.If) and ast.unparse(statement.test) in NOT_AT_IMPORT:
            continue
        else:
            roots = [statement]
        for root in roots:
            yield from _eager_calls(root)


def _eager_calls(node: ast.AST) -> Iterator[ast.Call]:
    """Calls in an expression, but not those inside a lambda."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _eager_calls(child)


def test_every_unit_has_a_floor():
    assert {_unit(path) for path in MODULES} - set(FLOORS) == set()


def test_imports_go_down():
    assert [fault for path in MODULES for fault in floor_faults(path)] == []


def test_libraries_come_in_by_their_door():
    assert [fault for path in MODULES for fault in door_faults(path)] == []


def test_nothing_prints():
    assert [fault for path in MODULES for fault in print_faults(path)] == []


def test_no_work_at_import():
    assert [fault for path in MODULES for fault in import_time_faults(path)] == []


def test_a_stranger_finds_rooms_and_not_dormitories():
    """A room of more than a dozen files has rooms of its own; few modules stand outside of one."""
    loose = [path for path in MODULES if path.parent == PACKAGE]
    assert len(loose) <= MOST_LOOSE
    rooms = {path.parent for path in MODULES} - {PACKAGE}
    crowded = {
        _key(room): len(list(room.glob("*.py")))
        for room in rooms
        if len(list(room.glob("*.py"))) > MOST_FILES + 1  # its __init__.py stands apart
    }
    assert crowded == {}


def test_no_file_is_named_after_nothing():
    assert [_key(path) for path in PACKAGE.rglob("*") if path.stem in BAD_NAMES] == []


def test_every_folder_has_its_tests():
    folders = {path.parent for path in MODULES if path.name != "__init__.py"} - {PACKAGE}
    missing = [
        folder.relative_to(PACKAGE).as_posix()
        for folder in folders
        if not list((REPOSITORY / "tests" / folder.relative_to(PACKAGE)).glob("test_*.py"))
        and not list((REPOSITORY / "tests" / folder.relative_to(PACKAGE)).parent.glob(
            f"test_{folder.name}*.py"
        ))
    ]  # fmt: skip
    assert missing == []


@pytest.mark.parametrize("module", ["jomed_app", "jomed_app.cli.main", "jomed_app.types"])
def test_a_light_import_stays_light(module):
    heavy = {
        "torch",
        "gradio",
        "transformers",
        "faiss",
        "pydicom",
        "onnxruntime",
        "pandas",
        "sklearn",
    }
    code = f"import sys, {module}; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_torchvision_is_absent():
    assert importlib.util.find_spec("torchvision") is None


# The checks themselves must be able to fail.


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module into a pretended package and return its path."""
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)

    def write(key: str, text: str) -> Path:
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("check", "key", "text"),
    [
        (floor_faults, "imaging/x.py", "from jomed_app.models.reader.packed import Reader"),
        (floor_faults, "data/x.py", "import jomed_app.models.reader.packed"),
        (floor_faults, "inference/x.py", "def f():\n    from jomed_app import ui"),
        (floor_faults, "types/x.py", "from jomed_app.imaging import read_image"),
        (door_faults, "retrieval/index.py", "import faiss"),
        (door_faults, "ui/panels/viewer.py", "import gradio as gr"),
        (door_faults, "ui/panels/diagnosis.py", "def f():\n    import torch"),
        (door_faults, "models/tower.py", "from torchvision.ops import nms"),
        (print_faults, "data/x.py", "def f():\n    print('x')"),
        (import_time_faults, "data/x.py", "model = load_model('x')"),
        (import_time_faults, "data/x.py", "class A:\n    rows = read_parquet('x')"),
        (import_time_faults, "data/x.py", "def f(x=open('y')): ..."),
    ],
)
def test_a_breach_is_found(module, check, key, text):
    assert len(check(module(key, text))) == 1


@pytest.mark.parametrize(
    ("check", "key", "text"),
    [
        (floor_faults, "inference/x.py", "from jomed_app.retrieval.index import CandidateIndex"),
        (floor_faults, "data/x.py", "from jomed_app.data.records import CaseRecord"),
        (door_faults, "retrieval/stores/faiss_file.py", "import faiss"),
        (door_faults, "imaging/dicom/image.py", "import pydicom"),
        (import_time_faults, "data/x.py", "import logging\nlogger = logging.getLogger(__name__)"),
        (import_time_faults, "data/x.py", "KEY = lambda x: open(x)"),
        (import_time_faults, "data/x.py", "if __name__ == '__main__':\n    run()"),
    ],
)
def test_what_is_allowed_passes(module, check, key, text):
    assert check(module(key, text)) == []
