"""Which keys a package reads, told from its syntax trees: who holds which section, by annotations.

A read is an attribute of a value whose type is known to be that section: `config.steps` of an
`AlignConfig` is no read of `ReaderTrainingConfig.steps`. To read a section's property is to read
the keys that it is derived from. Types come from annotations of parameters,
attributes and results, and from plain assignments. What cannot be told counts as no read, so that
the test errs on the loud side: annotate, and it is told.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Key = tuple[str, str]  # a section's class, by its defining module; name of a field


@dataclass
class Module:
    """What a module's names stand for, as dotted names."""

    name: str
    tree: ast.Module
    names: dict[str, str] = field(default_factory=dict)


@dataclass
class Class:
    """A class: its annotated fields; types of attributes, properties, methods' results; bases.

    `derived` says which attributes of its own a property reads.
    """

    fields: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    bases: list[str] = field(default_factory=list)
    derived: dict[str, set[str]] = field(default_factory=dict)


class Package:
    """Modules by dotted name, with every class and every function's result.

    Args:
        root: folder that holds the package's folder.
        name: the package.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.modules: dict[str, Module] = {}
        self.classes: dict[str, Class] = {}
        self.results: dict[str, str] = {}
        for path in sorted((root / name).rglob("*.py")):
            dotted = ".".join(path.relative_to(root).with_suffix("").parts)
            dotted = dotted.removesuffix(".__init__")
            module = Module(dotted, ast.parse(path.read_text(encoding="utf-8")))
            self.modules[dotted] = module
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ImportFrom):
                    for each in node.names:
                        module.names[each.asname or each.name] = f"{node.module}.{each.name}"
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef):
                    module.names[node.name] = f"{dotted}.{node.name}"
        for module in self.modules.values():
            for node in module.tree.body:
                if isinstance(node, ast.FunctionDef):
                    self.results[f"{module.name}.{node.name}"] = self.type_of(node.returns, module)
                elif isinstance(node, ast.ClassDef):
                    self.classes[f"{module.name}.{node.name}"] = self._class(node, module)

    def _class(self, node: ast.ClassDef, module: Module) -> Class:
        found = Class(bases=[self.type_of(base, module) for base in node.bases])
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                found.fields.append(item.target.id)
                found.attributes[item.target.id] = self.type_of(item.annotation, module)
            elif isinstance(item, ast.FunctionDef):
                found.attributes[item.name] = self.type_of(item.returns, module)
                if any(isinstance(d, ast.Name) and d.id == "property" for d in item.decorator_list):
                    found.derived[item.name] = _own_attributes(item)
                if item.name == "__init__":
                    known = self.parameters(item, module)
                    for each in ast.walk(item):
                        if (
                            isinstance(each, ast.Assign)
                            and isinstance(each.targets[0], ast.Attribute)
                            and isinstance(each.value, ast.Name)
                        ):
                            found.attributes[each.targets[0].attr] = known.get(each.value.id, "")
        return found

    def parameters(self, node: ast.FunctionDef, module: Module) -> dict[str, str]:
        """Types of a function's annotated parameters."""
        listed = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        return {each.arg: self.type_of(each.annotation, module) for each in listed}

    def type_of(self, annotation: ast.expr | None, module: Module) -> str:
        """The class that an annotation names, by its defining module; "" if it names none."""
        if isinstance(annotation, ast.BinOp):  # X | None
            return self.type_of(annotation.left, module) or self.type_of(annotation.right, module)
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            return self.type_of(ast.parse(annotation.value, mode="eval").body, module)
        if not isinstance(annotation, ast.Name):
            return ""
        return self.defined(module.names.get(annotation.id, ""))

    def defined(self, dotted: str) -> str:
        """Where a name that may be handed on from module to module is defined."""
        home, _, name = dotted.rpartition(".")
        handed_on = self.modules[home].names.get(name, "") if home in self.modules else ""
        return dotted if handed_on in ("", dotted) else self.defined(handed_on)

    def attribute(self, kind: str, name: str) -> str:
        """Type of an attribute of a class or of its bases."""
        known = self.classes.get(kind, Class())
        if name in known.attributes:
            return known.attributes[name]
        return next((t for base in known.bases if (t := self.attribute(base, name))), "")

    def declarer(self, kind: str, name: str) -> str:
        """The class that declares a field: this one, or one of its bases."""
        known = self.classes.get(kind, Class())
        if name in known.fields:
            return kind
        return next((c for base in known.bases if (c := self.declarer(base, name))), "")

    def is_section(self, kind: str) -> bool:
        """Whether a class is a section."""
        return kind.endswith(".Section") or any(
            self.is_section(base) for base in self.classes.get(kind, Class()).bases
        )

    def sections(self) -> dict[str, list[str]]:
        """Every section with the names of its keys; sections inside sections are no keys."""
        return {
            kind: [key for key in known.fields if not self.is_section(known.attributes[key])]
            for kind, known in self.classes.items()
            if self.is_section(kind)
        }


@dataclass
class Reads:
    """What was seen: keys read, words beside keys in comparisons, and all words compared."""

    keys: set[Key] = field(default_factory=set)
    told_apart: dict[Key, set[str]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)


class _Reader(ast.NodeVisitor):
    """Reads one module; a scope is a table of names and types."""

    def __init__(self, package: Package, module: Module, reads: Reads) -> None:
        self.package, self.module, self.reads = package, module, reads
        self.scope: dict[str, str] = {}
        self.owner = ""

    def type_of(self, node: ast.expr) -> str:
        """Type of an expression; "" when it cannot be told."""
        package = self.package
        if isinstance(node, ast.Name):
            return self.scope.get(node.id, "")
        if isinstance(node, ast.Attribute):
            return package.attribute(self.type_of(node.value), node.attr)
        if isinstance(node, ast.IfExp):
            return self.type_of(node.body) or self.type_of(node.orelse)
        if isinstance(node, ast.BoolOp):
            return next((t for each in node.values if (t := self.type_of(each))), "")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            held = self.type_of(node.func.value)
            return held if node.func.attr == "replaced" else package.attribute(held, node.func.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = package.defined(self.module.names.get(node.func.id, ""))
            return called if called in package.classes else package.results.get(called, "")
        return ""

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.owner, before = f"{self.module.name}.{node.name}", self.owner
        self.generic_visit(node)
        self.owner = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, known = self.scope, self.package.parameters(node, self.module)
        names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
        own = {each.id for each in names if isinstance(each.ctx, ast.Store)}
        outer = {name: t for name, t in before.items() if name not in own}
        self.scope = outer | known | ({"self": self.owner} if "self" in known else {})
        self.generic_visit(node)
        self.scope = before

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                if isinstance(name, ast.Name):
                    self.scope[name.id] = self.type_of(value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        held = self.type_of(node.value)
        if isinstance(node.ctx, ast.Load) and self.package.is_section(held):
            derived = self.package.classes[held].derived.get(node.attr, set())
            self.reads.keys |= {
                (self.package.declarer(held, name), name) for name in (node.attr, *derived)
            }

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        sides = [node.left, *node.comparators]
        words = _words(sides)
        self.reads.words |= words
        for side in sides:
            if isinstance(side, ast.Attribute):
                key = (self.type_of(side.value), side.attr)
                self.reads.told_apart.setdefault(key, set()).update(words)

    def visit_Dict(self, node: ast.Dict) -> None:
        self.generic_visit(node)
        self.reads.words |= _words(node.keys)

    def visit_MatchValue(self, node: ast.MatchValue) -> None:
        self.reads.words |= _words([node.value])


def _own_attributes(method: ast.FunctionDef) -> set[str]:
    """Names behind `self.` in a method."""
    return {
        node.attr
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def _words(nodes: Iterable[ast.expr | None]) -> set[str]:
    """Texts and numbers in some expressions, as texts."""
    each = (inner for node in nodes if node is not None for inner in ast.walk(node))
    return {str(inner.value) for inner in each if isinstance(inner, ast.Constant)}


def read_outside(package: Package, inside: str) -> Reads:
    """What the modules of a package read, but for those of its part `inside`."""
    reads = Reads()
    for name, module in package.modules.items():
        if not f"{name}.".startswith(f"{inside}."):
            _Reader(package, module, reads).visit(module.tree)
    return reads


def unread_keys(sections: Mapping[str, Iterable[str]], reads: Reads) -> list[str]:
    """Keys that nobody reads, as "Section.key"."""
    return [
        f"{kind.rpartition('.')[2]}.{key}"
        for kind, keys in sections.items()
        for key in keys
        if (kind, key) not in reads.keys
    ]


def idle_choices(choices: Mapping[Key, Iterable[str]], reads: Reads) -> list[str]:
    """Choices that nothing tells from the others, as "Section.key = choice".

    Where a key itself is compared, with those words; where it is handed on first, with any word of
    a comparison or a table of the package. Of each key one choice may be what is left over, and one
    made of parts with "+" is told by its parts.
    """
    found = []
    for (kind, key), words in choices.items():
        known = reads.told_apart.get((kind, key), reads.words)
        idle = [word for word in words if not set(word.split("+")) <= known]
        name = f"{kind.rpartition('.')[2]}.{key}"
        found += [f"{name} = {word}" for word in idle] if len(idle) > 1 else []
    return found
