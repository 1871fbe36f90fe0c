"""Detection of incompatible installed versions from package metadata, without importing JAX.

A broken stack often fails at `import jax` or `from flax import nnx`, or falls back to the CPU
silently, so this module imports neither.
"""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

SHOWN = (
    *("maskjax", "jax", "jaxlib", "libtpu", "jax-cuda12-plugin", "jax-cuda13-plugin"),
    *("flax", "optax", "orbax-checkpoint", "transformers", "datasets", "numpy"),
)
"""Packages whose versions are reported, if they are installed."""
CUDA_PLUGINS = {"jax-cuda12-plugin": "cuda12", "jax-cuda13-plugin": "cuda13"}
"""The extra of jax that installs each CUDA plugin."""
CHECKED = ("maskjax", "jax", "flax", "optax", "orbax-checkpoint", "chex", *CUDA_PLUGINS)
"""Packages whose declared requirements are compared with the installed versions."""
LIBTPU_WINDOW = 6
"""The maximum distance, in releases, between the installed libtpu and the one that jax declares.

Kaggle runs jax 0.7.2 with libtpu 0.0.17, while jax declares 0.0.23, and Colab with 0.0.21.1.
"""
BROKEN_FLAX = (
    # flax uses classes of jax that these releases of jax removed or renamed.
    (SpecifierSet("<=0.12.8"), SpecifierSet(">=0.11.1")),
    (SpecifierSet("==0.12.9"), SpecifierSet(">=0.11.2")),
)
"""Releases of flax that cannot be imported on releases of jax, whatever their metadata declares."""
WORKING_FLAX = "flax>=0.12.10"
DEVICE_FILES = {"/dev/nvidia0": "cuda12", "/dev/accel0": "tpu", "/dev/vfio/0": "tpu"}
"""The extra of jax that drives the accelerator behind each device file."""


class Finding(NamedTuple):
    """A problem of the installation."""

    problem: str  # what does not work, in one line
    install: str  # the requirement that a repair installs, such as `flax>=0.12.10` or `jax[tpu]`


def installed_packages() -> dict[str, Distribution]:
    """The installed packages by canonical name; the first on the path wins, as in an import."""
    packages: dict[str, Distribution] = {}
    for package in distributions():
        if package.name:  # None where the metadata is damaged
            packages.setdefault(canonicalize_name(package.name), package)
    return packages


def versions() -> dict[str, str]:
    """The versions that matter for a run, Python's first.

    Example:
        >>> list(versions())[:3]
        ['python', 'maskjax', 'jax']
    """
    packages = installed_packages()
    reported = {name: packages[name].version for name in SHOWN if name in packages}
    return {"python": platform.python_version(), **reported}


def diagnose(packages: Mapping[str, Distribution]) -> list[Finding]:
    """Finds versions that cannot work together."""
    return [
        *(finding for name in CHECKED if name in packages for finding in _unmet(name, packages)),
        *_broken_flax(packages),
        *_unused_plugins(packages),
        *_distant_libtpu(packages),
    ]


def unused_accelerator(backend: str) -> list[Finding]:
    """Finds an accelerator that JAX does not use."""
    extras = [extra for file, extra in DEVICE_FILES.items() if Path(file).exists()]
    if not extras or backend != "cpu":
        return []
    problem = "the machine has an accelerator, and JAX runs on the CPU"
    return [Finding(problem, f"jax[{extras[0]}]")]


def remedy(findings: list[Finding], packages: Mapping[str, Distribution]) -> str:
    """Builds the one pip command that repairs all findings.

    JAX is pinned to its installed release, unless that one is too old for maskjax, so that pip
    does not replace a stack that the host has tuned.
    """
    requirements = [Requirement(finding.install) for finding in findings]
    extras = sorted({extra for r in requirements if r.name == "jax" for extra in r.extras})
    others = dict.fromkeys(str(r) for r in requirements if r.name != "jax")
    jax = f"jax[{','.join(extras)}]" if extras else "jax"
    arguments = [f"{jax}{_pinned_jax(packages)}", *others]
    return "pip install " + " ".join(f'"{argument}"' for argument in arguments)


def _unmet(name: str, packages: Mapping[str, Distribution]) -> Iterator[Finding]:
    """The requirements of a package, without extras, that the installed versions do not meet."""
    for requirement in _requirements(packages[name]):
        dependency = canonicalize_name(requirement.name)
        package = packages.get(dependency)
        if package is None or not requirement.specifier.contains(package.version, prereleases=True):
            state = "is not installed" if package is None else f"has version {package.version}"
            needs = f"{name} {packages[name].version} needs {_specification(requirement)}"
            repair = _repair(dependency, requirement, packages)
            yield Finding(f"{needs}; {dependency} {state}", repair)


def _repair(dependency: str, requirement: Requirement, packages: Mapping[str, Distribution]) -> str:
    """The requirement to install; jaxlib and plugins follow their release of jax."""
    if dependency in ("jax", "jaxlib"):
        return "jax"
    if dependency.startswith("jax-cuda"):
        return f"jax[{dependency.split('-')[1]}]"
    return _specification(_maskjax_requirement(dependency, packages) or requirement)


def _broken_flax(packages: Mapping[str, Distribution]) -> Iterator[Finding]:
    if not {"jax", "flax"} <= packages.keys():
        return
    jax, flax = packages["jax"].version, packages["flax"].version
    if any(jax in for_jax and flax in for_flax for for_flax, for_jax in BROKEN_FLAX):
        yield Finding(f"flax {flax} cannot be imported on jax {jax}", WORKING_FLAX)


def _unused_plugins(packages: Mapping[str, Distribution]) -> Iterator[Finding]:
    """JAX ignores a plugin whose release is not that of jaxlib, and runs on the CPU."""
    for name, extra in CUDA_PLUGINS.items():
        if name not in packages or "jaxlib" not in packages:
            continue
        plugin, jaxlib = packages[name].version, packages["jaxlib"].version
        if Version(plugin).release != Version(jaxlib).release:
            problem = f"{name} {plugin} does not belong to jaxlib {jaxlib}; JAX falls back to CPU"
            yield Finding(problem, f"jax[{extra}]")


def _distant_libtpu(packages: Mapping[str, Distribution]) -> Iterator[Finding]:
    if not {"jax", "libtpu"} <= packages.keys():
        return
    requirements = [r for r in _requirements(packages["jax"], extra="tpu") if r.name == "libtpu"]
    installed = Version(packages["libtpu"].version)
    for requirement in requirements:
        (pinned,) = requirement.specifier
        target = Version(pinned.version.removesuffix(".*"))
        is_same_series = target.release[:2] == installed.release[:2]
        if not is_same_series or abs(target.micro - installed.micro) > LIBTPU_WINDOW:
            problem = f"libtpu {installed} is too far from {target}, which jax names"
            yield Finding(f"{problem} ({packages['jax'].version})", "jax[tpu]")


def _requirements(package: Distribution, extra: str = "") -> Iterator[Requirement]:
    for text in package.requires or ():
        requirement = Requirement(text)
        needs_extra = requirement.marker is not None and "extra" in str(requirement.marker)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if applies and needs_extra == bool(extra):
            yield requirement


def _maskjax_requirement(name: str, packages: Mapping[str, Distribution]) -> Requirement | None:
    own = _requirements(packages["maskjax"]) if "maskjax" in packages else ()
    return next((r for r in own if canonicalize_name(r.name) == name), None)


def _pinned_jax(packages: Mapping[str, Distribution]) -> str:
    floor = _maskjax_requirement("jax", packages)
    jax = packages.get("jax")
    if jax is None or (floor and not floor.specifier.contains(jax.version, prereleases=True)):
        return str(floor.specifier) if floor else ""
    return f"=={jax.version}"


def _specification(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"
