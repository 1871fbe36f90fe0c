"""Responses in JSON."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse


class Json(JSONResponse):
    """JSON in ASCII: a name or label may hold half of a surrogate pair, which has no UTF-8."""

    def render(self, content: Any) -> bytes:
        """The bytes of a value."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def refusal(message: str, status: int, headers: Mapping[str, str] | None = None) -> Json:
    """Makes the response to a request that is not answered.

    Example:
        >>> refusal("there is no task 'x'", 404).body
        b'{"error":"there is no task \\'x\\'"}'
    """
    return Json({"error": message}, status, headers)
