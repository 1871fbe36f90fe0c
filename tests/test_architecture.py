"""The house rules that imports can break, read from the sources."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "maskjax"
# From bottom to top: a room imports from itself and from those before it.
ROOMS = (
    "errors",
    "places",
    "config",
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
)
FILES = sorted(HOUSE.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(HOUSE.parent).with_suffix("").parts
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


def room(module: str) -> str:
    """The room of a module; the package itself, which stands above all, is called maskjax."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def importers_of(package: str) -> set[str]:
    """The rooms that import a package from outside."""
    return {room(m) for m, found in IMPORTS.items() if package in {i.split(".")[0] for i in found}}


def test_every_room_is_known():
    assert {room(module) for module in MODULES} - {"maskjax"} <= set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_imports_point_down(name):
    allowed = set(ROOMS[: ROOMS.index(name) + 1])
    upward = {
        f"{module} imports {imported}"
        for module, found in IMPORTS.items()
        for imported in found
        if room(module) == name
        and imported.split(".")[0] == "maskjax"
        and room(imported) not in allowed
    }
    assert not upward


def test_there_are_no_circles():
    own = {module: found & MODULES.keys() for module, found in IMPORTS.items()}
    list(graphlib.TopologicalSorter(own).static_order())  # raises CycleError with the circle


def test_masking_needs_jax_and_numpy_only():
    allowed = sys.stdlib_module_names | {"jax", "numpy"}
    for module, found in IMPORTS.items():
        if room(module) == "masking":
            foreign = {i for i in found if i.split(".")[0] not in allowed}
            assert all(i.startswith("maskjax.masking") for i in foreign), (module, foreign)


def test_flax_lives_in_models():
    assert importers_of("flax") == {"models"}


def test_torch_is_where_its_files_are():
    """Two modules import it lazily, and one is shipped to where PyTorch is, without us."""
    users = {m for m, found in IMPORTS.items() if "torch" in {i.split(".")[0] for i in found}}
    assert users == {f"maskjax.export.{name}" for name in ("maskjax_torch", "onnx", "state_dict")}
    allowed = sys.stdlib_module_names | {"torch", "safetensors"}
    assert {i.split(".")[0] for i in IMPORTS["maskjax.export.maskjax_torch"]} <= allowed


@pytest.mark.parametrize("file", FILES, ids=map(module_name, FILES))
def test_files_can_be_read_in_one_sitting(file):
    assert len(file.read_text(encoding="utf8").splitlines()) <= 300


def test_importing_the_package_is_light():
    """Nothing heavy is loaded, and no network can be touched, before something is asked for."""
    heavy = ("transformers", "datasets", "pandas", "torch")
    code = f"import sys, maskjax; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
