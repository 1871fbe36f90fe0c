"""Checks for optional packages before a command starts its work."""

import importlib.util

from maskjax.errors import InputError

DISTRIBUTIONS = {
    "google.protobuf": "protobuf",
    "prometheus_client": "prometheus-client",
    "torch": "PyTorch",
}
"""Names of packages that differ from the names of their modules."""


def require(user: str, *modules: str, install: str) -> None:
    """Checks that packages are installed, without importing them.

    Args:
        user: The command or option that needs them.
        *modules: Modules, as they are imported.
        install: The argument of `pip install` that installs them.

    Raises:
        InputError: If a package is missing.

    Example:
        >>> require("maskjax report", "json", install="maskjax[analysis]")
        >>> require("maskjax report", "no_such_module", install="maskjax[analysis]")
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: maskjax report needs no_such_module; \
pip install "maskjax[analysis]"
    """
    missing = [name for name in modules if not _is_installed(name)]
    if missing:
        names = ", ".join(DISTRIBUTIONS.get(name, name) for name in missing)
        raise InputError(f'{user} needs {names}; pip install "{install}"')


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False
