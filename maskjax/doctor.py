"""Versions, devices, and the combinations of both that are known not to work."""

import importlib.metadata
import platform
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("maskjax", "jax", "flax", "optax", "transformers", "datasets", "numpy")


class Finding(NamedTuple):
    """Something that is wrong with this installation.

    Attributes:
        problem: What is wrong.
        remedy: A command or a change that mends it.
    """

    problem: str
    remedy: str


def versions() -> dict[str, str]:
    """The versions that matter for a run, Python first.

    Returns:
        `{package: version}`.

    Example:
        >>> list(versions())[:3]
        ['python', 'maskjax', 'jax']
    """
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def diagnose(found: dict[str, str], backend: str, accelerators: bool) -> list[Finding]:
    """Looks for known-bad combinations.

    Args:
        found: From `versions`.
        backend: `jax.default_backend()`.
        accelerators: Whether the machine has an accelerator that JAX could use.

    Returns:
        What is wrong; empty where nothing is known to be.

    Example:
        >>> diagnose({"jax": "0.11.2", "flax": "0.12.9"}, "cpu", False)[0].remedy
        "pip install -U 'flax>=0.12.10'"
    """
    jax, flax = _numbers(found["jax"]), _numbers(found["flax"])
    findings = []
    if flax <= (0, 12, 8) and jax >= (0, 11, 1):
        findings.append(
            Finding(
                f"flax {found['flax']} cannot be imported on jax {found['jax']}",
                "pip install -U 'flax>=0.12.10'",
            )
        )
    if flax == (0, 12, 9) and jax >= (0, 11, 2):
        findings.append(
            Finding(
                f"flax 0.12.9 cannot be imported on jax {found['jax']}",
                "pip install -U 'flax>=0.12.10'",
            )
        )
    if accelerators and backend == "cpu":
        findings.append(
            Finding(
                "there is an accelerator, and JAX runs on the CPU",
                "pip install -U 'jax[cuda13]' on a GPU, or 'jax[tpu]' on a TPU, then restart",
            )
        )
    return findings


def accelerator_present() -> bool:
    """Whether the machine has an NVIDIA GPU or a TPU, JAX not asked.

    Returns:
        True if a device file of one of them exists.
    """
    return any(Path(name).exists() for name in ("/dev/nvidia0", "/dev/accel0", "/dev/vfio/0"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
