"""Writes a page of the API reference for each package, from what its `__init__` exports.

The packages are read, not imported: which names are public, where each is defined, and whether it
is a class, a function or a value stands in the source.
"""

import ast
from collections.abc import Container
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markup import to_rst

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "masking",
    "masking.packed",
    "models",
    "adaptation",
    "tasks",
    "taskfile",
    "inference",
    "training",
    "export",
    "serving",
    "analysis",
    "config",
    "progress",
)

LONGEST_VALUE = 200
"""Characters of a value that the page shows; tables are longer."""


class Definition(NamedTuple):
    """Where a public name is defined, and the node that defines it."""

    module: str
    node: ast.stmt
    text: str
    """The string below an assignment; classes and functions have docstrings of their own."""


@cache
def parse(module: str) -> ast.Module:
    """The syntax tree of a module or of the `__init__` of a package."""
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf8"))


def exported(module: str) -> list[str]:
    """The names in the `__all__` of a module, which is empty where it has none."""
    for node in parse(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def imported_from(module: str) -> dict[str, str]:
    """The module that each imported name comes from, blocks of TYPE_CHECKING included."""
    nodes = (node for node in ast.walk(parse(module)) if isinstance(node, ast.ImportFrom))
    return {alias.name: node.module for node in nodes if node.module for alias in node.names}


def find_definition(module: str, name: str) -> Definition:
    """Follows a name through imports to the statement that defines it."""
    body = parse(module).body
    for place, node in enumerate(body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return Definition(module, node, "")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if ast.unparse(target) == name:
                return Definition(module, node, _string(body[place + 1 : place + 2]))
    source = imported_from(module).get(name)
    if source is None:
        raise LookupError(f"{module}: {name} is exported and neither defined nor imported there.")
    return find_definition(source, name)


def _string(nodes: list[ast.stmt]) -> str:
    """The text of a statement that is a string alone."""
    values = [node.value for node in nodes if isinstance(node, ast.Expr)]
    texts = [value.value for value in values if isinstance(value, ast.Constant)]
    return texts[0] if texts and isinstance(texts[0], str) else ""


def entry(package: str, name: str, definition: Definition) -> str:
    """The directive that documents a name under the package that exports it."""
    if isinstance(definition.node, ast.ClassDef):
        return f".. autoclass:: {package}.{name}\n   :members:\n"
    if isinstance(definition.node, ast.FunctionDef):
        return f".. autofunction:: {package}.{name}\n"
    # autodoc finds the string below an assignment only in the module that it is asked for.
    lines = [f".. py:data:: {name}", f"   :module: {package}"]
    value = _value(definition.node)
    if 0 < len(value) <= LONGEST_VALUE:
        lines.append(f"   :value: {value}")
    text = [f"   {line.strip()}".rstrip() for line in to_rst(definition.text).splitlines()]
    return "\n".join([*lines, "", *text]) + "\n"


def _value(node: ast.stmt) -> str:
    """The source of what is assigned, in one line."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return "" if value is None else ast.unparse(value)


def missing(known: Container[str]) -> list[str]:
    """The public names of packages that are not among the names that a build documented."""
    names = (
        f"maskjax.{package}.{n}" for package in PACKAGES for n in exported(f"maskjax.{package}")
    )
    return [name for name in names if name not in known]


def heading(text: str, line: str) -> str:
    """A title of reStructuredText."""
    return f"{text}\n{line * len(text)}\n"


def summary(module: str) -> str:
    """The first paragraph of the docstring of a module, in one line."""
    text = ast.get_docstring(parse(module)) or ""
    return to_rst(" ".join(text.split("\n\n")[0].split()))


def package_page(package: str) -> str:
    """The page of a package, with a section for each module that defines public names."""
    sections: dict[str, list[str]] = {}
    for name in exported(package):
        definition = find_definition(package, name)
        sections.setdefault(definition.module, []).append(entry(package, name, definition))
    parts = [heading(package, "="), f".. automodule:: {package}\n"]
    for module, entries in sections.items():
        parts += [heading(module.rpartition(".")[2], "-"), summary(module) + "\n", *entries]
    return "\n".join(parts)


EXAMPLES = """The tests run every example of the reference. Examples that need files use the names
``base`` for the folder of a pretrained encoder, ``rows`` for a folder with train.tsv, dev.tsv and
test.tsv, ``config`` for a short run on both, ``trained`` for the folder of that run, and ``folder``
for an empty one.
"""


def root_page() -> str:
    """The page of `maskjax` itself, whose names are those of packages and link to them."""
    parts = [heading("maskjax", "="), ".. automodule:: maskjax\n"]
    for name in exported("maskjax"):
        source = imported_from("maskjax")[name]
        parts.append(f"- ``maskjax.{name}`` is :py:obj:`{source}.{name}`")
    error = ".. autoexception:: maskjax.errors.InputError\n"
    return "\n".join([*parts, "", EXAMPLES, heading("Errors", "-"), error])


def module_page(package: str) -> str:
    """The page of a package that exports nothing: its modules with their first sentences."""
    folder = ROOT.joinpath(*package.split("."))
    parts = [heading(package, "="), f".. automodule:: {package}\n"]
    for file in sorted(folder.glob("[!_]*.py")):
        module = f"{package}.{file.stem}"
        parts.append(f"``{module}``\n   {summary(module)}\n")
    return "\n".join(parts) + "\n"


def write_pages(folder: Path) -> None:
    """Writes `maskjax.rst` and a page for each package; a page that did not change is kept."""
    pages = {"maskjax": root_page()}
    for name in PACKAGES:
        package = f"maskjax.{name}"
        pages[package] = package_page(package) if exported(package) else module_page(package)
    for name, text in pages.items():
        write_changed(folder / f"{name}.rst", text)


def write_changed(path: Path, text: str) -> None:
    """Writes a file unless it has this text, since Sphinx reads pages of a new date again."""
    if not path.exists() or path.read_text(encoding="utf8") != text:
        path.write_text(text, encoding="utf8")
