"""Checks for optional packages before a command starts its work."""

import importlib.util

from maskjax.errors import InputError

DISTRIBUTIONS = {
    "prometheus_client": "prometheus-client",
    "torch": "PyTorch",
}
"""Names of packages that differ from the names of their modules."""


def require(user: str, *modules: str, install: str) -> None:
    """Checks that packages are installed, without importing them.

    Example:
        >>> require("maskjax report", "json", install="maskjax[analysis]")
        >>> require("maskjax report", "no_such_module", install="maskjax[analysis]")
        Traceback (most recent call last):
        ...
        maskjax.errors.InputError: maskjax report needs no_such_module; \
pip install "maskjax[analysis]"
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(DISTRIBUTIONS.get(name, name) for name in missing)
        raise InputError(f'{user} needs {names}; pip install "{install}"')
