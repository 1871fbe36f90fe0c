"""Folders of the user."""

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """The folder of tokenized rows and compiled programs; it may be deleted at any time.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, MASKJAX_CACHE="cache"):
        ...     str(cache_folder())
        'cache'
    """
    shared = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    folder = Path(os.environ.get("MASKJAX_CACHE") or shared / "maskjax")
    folder = expand_home(folder)
    return None if folder.parts[:1] == ("~",) else folder


def expand_home(path: str | Path) -> Path:
    """Expands `~`, which stays if the user has no home, as in a container with only a user id."""
    return Path(os.path.expanduser(path))
