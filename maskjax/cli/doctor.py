"""`maskjax doctor`: versions, devices, and what does not fit together."""

from rich.console import Console
from rich.table import Table

from maskjax.doctor import (
    Finding,
    diagnose,
    installed_packages,
    remedy,
    unused_accelerator,
    versions,
)
from maskjax.errors import one_line


def doctor() -> int:
    """Shows versions and devices, and names combinations that cannot work with their remedy.

    Exit code 1 means that something was found. It also runs where JAX cannot be imported.
    """
    console = Console(soft_wrap=True, highlight=False, markup=False)
    table = Table("package", "version")
    for name, version in versions().items():
        table.add_row(name, version)
    console.print(table)
    packages = installed_packages()
    findings = diagnose(packages)
    problems = [finding.problem for finding in findings]
    try:
        unused = _show_devices(console)
    except (ImportError, AttributeError, RuntimeError) as error:  # how versions that clash fail
        problems.append(f"JAX or Flax cannot be imported: {one_line(error)}")
    else:
        findings += unused
        problems += [finding.problem for finding in unused]
    for problem in problems:
        console.print(f"problem: {problem}")
    if findings:
        console.print(f"remedy:  {remedy(findings, packages)}, then restart Python")
    elif problems:
        console.print("remedy:  install maskjax into a new environment")
    console.print(f"{len(problems)} known problem{'' if len(problems) == 1 else 's'}")
    return 1 if problems else 0


def _show_devices(console: Console) -> list[Finding]:
    import jax

    import maskjax.models  # noqa: F401  # imports flax.nnx, which a wrong pair of versions breaks

    for device in jax.devices():
        console.print(f"device: {device} ({device.device_kind})")
    return unused_accelerator(jax.default_backend())
