"""Where things are kept that can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """The folder of tokenized rows and compiled programs; it may be deleted at any time.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, MASKJAX_CACHE="mine"):
        ...     str(cache_folder())
        'mine'
    """
    shared = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    folder = Path(os.environ.get("MASKJAX_CACHE") or shared / "maskjax")
    folder = expand_home(folder)
    return None if folder.parts[:1] == ("~",) else folder


def expand_home(path: str | Path) -> Path:
    """Replaces `~`; it stays where the user has no home, as in a container of a bare user id."""
    return Path(os.path.expanduser(path))
