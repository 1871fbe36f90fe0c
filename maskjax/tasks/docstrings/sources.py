"""Public objects of installed packages, read from their sources without importing them."""

import ast
import gc
import re
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

# The label "python" is that of the standard library.
PACKAGES: dict[str, tuple[str, ...]] = {
    "huggingface": ("transformers", "datasets"),
    "jax": ("jax", "flax", "optax"),
    "pandas": ("pandas",),
    "scipy": ("numpy", "scipy"),
}

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

# Tests document no public objects, vendored code belongs to other packages, newer Pythons lack
# distutils and lib2to3, and the models of transformers repeat a few sentences hundreds of times.
SKIPPED = re.compile(
    r"(\w*_)?test(s|ing)?(_\w+)?(\.py)?|conftest\.py|third_party|_external|_vendor\w*"
    r"|array_api_\w+|site-packages|dist-packages|distutils|lib2to3|models"
)
PROPERTY = re.compile(r"property\b|readonly\b|\.(setter|getter|deleter)$")


@contextmanager
def paused_garbage_collection() -> Iterator[None]:
    """Pauses the garbage collector and then restores its state."""
    # Syntax trees hold no cycles, and looking for some takes a third of the loading time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def package_folders() -> Iterator[tuple[str, Path]]:
    """Finds the folders of all packages, with their labels in the task "library"."""
    yield "python", Path(sysconfig.get_path("stdlib"))
    for library, packages in PACKAGES.items():
        for package in packages:
            spec = find_spec(package)  # imports nothing, as the package is a top-level one
            if spec is None or spec.origin is None:
                raise ModuleNotFoundError(f"package {package!r} is not installed", name=package)
            yield library, Path(spec.origin).parent


def source_files(folder: Path) -> Iterator[Path]:
    """Finds the source files below a folder whose public objects count."""
    for path in sorted(folder.iterdir()):
        if SKIPPED.fullmatch(path.name):
            continue
        if path.is_dir():
            yield from source_files(path)
        elif path.suffix == ".py":
            yield path


def parse(path: Path) -> ast.Module:
    """Parses a source file without importing it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other packages may use deprecated syntax
        return ast.parse(path.read_bytes())


def public_objects(parent: ast.AST, within_class: bool) -> Iterator[tuple[Definition, str]]:
    """Finds the public classes, functions and methods of a module or class."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.If | ast.Try):  # definitions may depend on the platform
            yield from public_objects(node, within_class)
        elif not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        elif isinstance(node, ast.ClassDef):
            yield node, "class"
            yield from public_objects(node, within_class=True)
        elif not any(PROPERTY.search(ast.unparse(mark)) for mark in node.decorator_list):
            yield node, "method" if within_class else "function"
