"""The rules of the architecture that imports can break, read from the sources."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "maskjax"
# From bottom to top: a package imports from itself and from those before it.
LAYERS = (
    "errors",
    "extras",
    "folders",
    "progress",
    "config",
    "options",
    "doctor",
    "masking",
    "models",
    "adaptation",
    "tasks",
    "taskfile",
    "inference",
    "export",
    "training",
    "serving",
    "analysis",
    "cli",
    "__main__",
)
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in FILES}


def imports(file: Path) -> set[str]:
    """The modules that a file imports, at its top or within a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import in line {node.lineno}"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = names & MODULES.keys()
            found |= submodules
            if names != submodules:
                found.add(node.module)
    return found


IMPORTS = {name: imports(file) for name, file in MODULES.items()}


def layer(module: str) -> str:
    """The package of a module; the package itself, which stands above all, is called maskjax."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def importers_of(package: str) -> set[str]:
    """The packages that import a package from outside."""
    return {layer(m) for m, found in IMPORTS.items() if package in {i.split(".")[0] for i in found}}


def test_every_package_has_a_layer():
    assert {layer(module) for module in MODULES} - {"maskjax"} <= set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_imports_point_down(name):
    allowed = set(LAYERS[: LAYERS.index(name) + 1])
    upward = {
        f"{module} imports {imported}"
        for module, found in IMPORTS.items()
        for imported in found
        if layer(module) == name
        and imported.split(".")[0] == "maskjax"
        and layer(imported) not in allowed
    }
    assert not upward


def test_imports_have_no_cycles():
    own = {module: found & MODULES.keys() for module, found in IMPORTS.items()}
    list(graphlib.TopologicalSorter(own).static_order())  # raises CycleError with the cycle


def test_masking_imports_jax_and_numpy_only():
    # jaxtyping is for type checkers only (tests/test_shapes.py).
    allowed = sys.stdlib_module_names | {"jax", "numpy", "jaxtyping"}
    for module, found in IMPORTS.items():
        if layer(module) == "masking":
            foreign = {i for i in found if i.split(".")[0] not in allowed}
            assert all(i.startswith("maskjax.masking") for i in foreign), (module, foreign)


def test_flax_is_imported_in_models_only():
    assert importers_of("flax") == {"models"}


def test_torch_is_imported_by_two_modules_only():
    """One module imports it lazily, and one is shipped to where PyTorch is, without us."""
    users = {m for m, found in IMPORTS.items() if "torch" in {i.split(".")[0] for i in found}}
    assert users == {f"maskjax.export.{name}" for name in ("maskjax_torch", "onnx")}
    allowed = sys.stdlib_module_names | {"torch", "safetensors"}
    assert {i.split(".")[0] for i in IMPORTS["maskjax.export.maskjax_torch"]} <= allowed


def test_scorers_are_imported_within_functions():
    """They take a second to import, and predictions need no score."""
    for name, file in MODULES.items():
        for node in ast.parse(file.read_text(encoding="utf8")).body:
            module = getattr(node, "module", None) or ""
            assert module.split(".")[0] not in {"sklearn", "seqeval"}, name


def test_files_have_at_most_300_lines():
    sizes = {name: len(f.read_text(encoding="utf8").splitlines()) for name, f in MODULES.items()}
    assert {name: size for name, size in sizes.items() if size > 300} == {}


def test_import_loads_no_heavy_module():
    """Nothing heavy is loaded, and no network can be touched, before something is asked for."""
    heavy = ("jax", "flax", "optax", "transformers", "datasets", "pandas", "pyarrow", "torch")
    code = f"import sys, maskjax; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
