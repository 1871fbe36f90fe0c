"""Compiled programs that are kept on disk, so that the next run of the same shapes starts sooner.

Only the command line turns this on: importing the library leaves JAX's settings alone.
"""

import errno
import os
from pathlib import Path

import jax

from maskjax.cli.show import show
from maskjax.errors import InputError
from maskjax.extras import require
from maskjax.folders import cache_folder

VARIABLE = "MASKJAX_COMPILE_CACHE"
"""The environment variable that holds a folder, a gs:// address, or `off`."""
SHORTEST = 0.5
"""Seconds of compiling from which a program is kept; reading one back costs some milliseconds."""


def use_compile_cache(*, enabled: bool = True) -> None:
    """Turns JAX's persistent compile cache on, unless it is turned off or has a place already.

    JAX reads these settings when it first compiles, so this comes before any array is made. A
    cache that JAX itself was given (`JAX_COMPILATION_CACHE_DIR`) stays where it is, unless
    `MASKJAX_COMPILE_CACHE` names another place; else it is `compiled` in `cache_folder()`.
    """
    place = os.environ.get(VARIABLE)
    if not enabled or place == "off":
        jax.config.update("jax_enable_compilation_cache", False)
    elif place or not jax.config.values["jax_compilation_cache_dir"]:
        place = _make(place) if place else _make_default()
        if place is None:
            jax.config.update("jax_enable_compilation_cache", False)
        else:
            jax.config.update("jax_compilation_cache_dir", place)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", SHORTEST)


def _make(place: str) -> str:
    """Makes a local folder, for JAX would only warn, program by program, that there is none."""
    if place.startswith("gs://"):
        require(f"{VARIABLE}={place}", "gcsfs", install="gcsfs")
    if "://" in place:
        return place
    try:
        _make_folder(Path(place))
    except OSError as error:
        raise InputError(
            f"{place}: cannot be made to keep compiled programs: {error.strerror}; "
            f"set {VARIABLE} to a folder or to off, or give --no-compile-cache."
        ) from error
    return place


def _make_default() -> str | None:
    folder = cache_folder()
    try:
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, "no home folder")
        _make_folder(folder / "compiled")
    except OSError as error:
        place = f"{folder / 'compiled'}: " if folder else ""
        remedy = f"set {VARIABLE} to a folder, or give --no-compile-cache"
        show(f"note: {place}{error.strerror}; no compiled programs are kept; {remedy}", stderr=True)
        return None
    return str(folder / "compiled")


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
