"""Compiled programs that are kept on disk, so that the next run of the same shapes starts sooner.

Only the command line turns this on: importing the library leaves JAX's settings alone.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import jax

from maskjax.errors import InputError
from maskjax.places import cache_folder

SWITCH = "--no-compile-cache"
"""The word on the command line that turns it off."""
VARIABLE = "MASKJAX_COMPILE_CACHE"
"""The environment variable that holds a folder, a gs:// address, or `off`."""
SHORTEST = 0.5
"""Seconds of compiling from which a program is kept; reading one back costs some milliseconds."""


def use_compile_cache(words: Sequence[str]) -> list[str]:
    """Turns JAX's persistent compile cache on, unless it is turned off or has a place already.

    JAX reads these settings when it first compiles, so this comes before any array is made. A
    cache that JAX itself was told of (`JAX_COMPILATION_CACHE_DIR`) stays where it is, unless
    `MASKJAX_COMPILE_CACHE` names another place; else it is `compiled` in `cache_folder()`.

    Args:
        words: The words of the command line.

    Returns:
        The words without `--no-compile-cache`.

    Raises:
        InputError: If the folder cannot be made.
    """
    place = os.environ.get(VARIABLE)
    if SWITCH in words or place == "off":
        jax.config.update("jax_enable_compilation_cache", False)
    elif place or not jax.config.values["jax_compilation_cache_dir"]:
        place = _make(place or str(cache_folder() / "compiled"))
        jax.config.update("jax_compilation_cache_dir", place)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", SHORTEST)
    return [word for word in words if word != SWITCH]


def _make(place: str) -> str:
    """Makes a local folder, for JAX would only warn, program by program, that there is none."""
    if "://" in place:
        return place
    try:
        Path(place).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{place}: cannot be made to keep compiled programs: {error.strerror}; "
            f"set {VARIABLE} to a folder or to off, or give {SWITCH}."
        ) from error
    return place
