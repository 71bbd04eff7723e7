"""The door to Jinja2: one template beside each view model, everything escaped, nothing missing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass, is_dataclass
from html import unescape
from pathlib import Path

import jinja2
import pytest

from jomed_app.ui import panels
from jomed_app.ui.panels.bars import Bars
from jomed_app.ui.panels.diagnosis.final import Final
from jomed_app.ui.panels.top.status import Status
from jomed_app.ui.templates import Panel, as_gradio_template, render, template_name
from tests.ui.hostile import HOSTILE

FOLDER = Path(panels.__file__).parent
TEMPLATES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.html"))
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(panels.__path__, f"{panels.__name__}.")
]
PANELS = [
    kind
    for module in MODULES
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Panel) and kind.__module__ == module.__name__
]


def test_every_panel_has_its_template_and_every_template_its_panel():
    assert sorted([*map(template_name, PANELS), "macros.html"]) == TEMPLATES


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.__name__)
def test_a_panel_is_a_frozen_value(panel):
    assert is_dataclass(panel)
    assert panel.__dataclass_params__.frozen


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_leaves_the_escaping(name):
    source = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", source)
    assert not re.search(r"=\s*\{[{%]", re.sub(r"\{%.*?%\}", "", source)), "quote every attribute"
    assert not re.search(
        r"\son\w+\s*=|<script(?! src=\"(?:/starting\.js\" defer|pages\.js\")>)|javascript:", source
    )


@pytest.mark.parametrize("path", sorted(FOLDER.parent.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_writes_html(path):
    source = path.read_text(encoding="utf-8").replace("&#{ord(sign)};", "")
    assert re.findall(r"</\w+>|<\w+( [\w-]+=[^>]*)?>|&#?\w+;", source) == []


def test_values_are_escaped():
    assert "<script" not in render(Status(HOSTILE))
    assert HOSTILE in unescape(render(Status(HOSTILE)))


def test_a_panel_inside_another_is_shown_as_html():
    final = Final("benign", 0.7, "", "", Bars.of({"benign": 0.7}, (), None), {}, None, "")
    assert render(final.bars) in render(final)


def test_a_name_that_a_panel_does_not_hold_is_an_error(monkeypatch):
    @dataclass(frozen=True, slots=True)
    class Wordless(Panel):
        is_busy: bool = False

    monkeypatch.setattr(Wordless, "__module__", Status.__module__)
    with pytest.raises(jinja2.UndefinedError, match="sentence"):
        render(Wordless())


def test_a_panel_elsewhere_has_no_template():
    @dataclass(frozen=True, slots=True)
    class Elsewhere(Panel):
        pass

    with pytest.raises(jinja2.TemplateNotFound):
        render(Elsewhere())


def test_gradio_finds_nothing_to_expand():
    words = r"a ${alert(1)} {{ value }} `x` \u0041"
    shown = as_gradio_template(f"<p>{words}</p>")
    assert not set("${}`\\") & set(shown)
    assert unescape(shown) == f"<p>{words}</p>"
