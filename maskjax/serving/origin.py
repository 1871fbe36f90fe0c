"""Under which names a server may be asked, and from which pages.

A browser lets any page send a plain form to `localhost`, and a page whose own name is made to
resolve to 127.0.0.1 (DNS rebinding) read the answers, too. Both give themselves away: by `Origin`,
which is not the server's, and by `Host`, which is not a name of this machine.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from maskjax.serving.middleware import PROBES
from maskjax.serving.replies import refusal


class CheckOrigin:
    """Answers 421 to requests under a foreign name, and 403 to those from foreign pages."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        self._app = app
        self._hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on."""
        if scope["type"] != "http" or self._hosts is None or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
        if foreign := [host for host in hosts if not self._is_own(_hostname(f"//{host}"))]:
            message = (
                f"Host: expected a name of this machine such as localhost, got {foreign[0]!r}; "
                "--allowed-hosts adds names"
            )
            await refusal(message, 421)(scope, receive, send)
        elif foreign := [one for one in origins if not self._is_same(one, hosts)]:
            message = f"Origin: expected a page of this server, got {foreign[0]!r}"
            await refusal(message, 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_own(self, name: str) -> bool:
        return is_loopback(name) or name in (self._hosts or ())

    def _is_same(self, origin: str, hosts: list[str]) -> bool:
        """Whether an origin is the server as it was asked, or one of its public names."""
        asked = {f"{scheme}://{host}".lower() for host in hosts for scheme in ("http", "https")}
        return origin.lower() in asked or _hostname(origin) in (self._hosts or ())


def is_loopback(host: str) -> bool:
    """Whether a name or address is of the loopback interface.

    Example:
        >>> [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1", "127.0.0.1.nip.io")]
        [True, True, True, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _hostname(address: str) -> str:
    """The host of an address, in lower case; empty where there is none."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:  # such as brackets that do not match
        return ""
