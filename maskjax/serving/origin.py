"""The names under which a server answers, and the pages whose requests it answers.

A browser lets any page send a plain form to `localhost`, and lets a page whose own name resolves
to 127.0.0.1 (DNS rebinding) also read the answers. The first has an `Origin` that is not the
server's, and the second a `Host` that is not a name of this machine.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import Scope

from maskjax.serving.middleware import PROBES
from maskjax.serving.replies import refusal


def check_origin(scope: Scope, *, public_names: Collection[str] | None) -> Response | None:
    """Answers 421 to requests under a foreign name, and 403 to those from foreign pages."""
    if public_names is None or scope["path"] in PROBES:
        return None
    names = {name.lower() for name in public_names}
    hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
    for host in hosts:
        hostname = _hostname(f"//{host}")
        if not is_loopback(hostname) and hostname not in names:
            return refusal(
                f"Host: expected a name of this machine such as localhost, got {host!r}; "
                "--allowed-hosts adds names",
                421,
            )
    own = {f"{scheme}://{host}".lower() for host in hosts for scheme in ("http", "https")}
    for origin in origins:
        if origin.lower() not in own and _hostname(origin) not in names:
            return refusal(f"Origin: expected a page of this server, got {origin!r}", 403)
    return None


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
