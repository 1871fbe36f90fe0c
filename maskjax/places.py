"""Where things are kept that can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of tokenised rows and compiled programs; it may be deleted at any time.

    Returns:
        MASKJAX_CACHE; where that is not set, `maskjax` in XDG_CACHE_HOME or in `~/.cache`.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, MASKJAX_CACHE="mine"):
        ...     str(cache_folder())
        'mine'
    """
    shared = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return Path(os.environ.get("MASKJAX_CACHE") or shared / "maskjax").expanduser()
