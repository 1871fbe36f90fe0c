"""Limits of a server."""

from dataclasses import dataclass, fields

from maskjax.config.check import check


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a server takes on, and how long it lets rows wait for a fuller batch.

    A row is one input of a request; its tokens are counted with their padding.

    Attributes:
        body_bytes: The longest body of a request; a longer one is refused with 413.
        request_rows: The most rows of a request, else 413.
        request_tokens: The most tokens of a request, else 413.
        waiting_rows: The most rows that are accepted and not answered yet; what would go beyond
            is refused with 429.
        batch_tokens: The most tokens of a batch.
        wait_ms: How long a row waits for others, in milliseconds, while the model has nothing
            else to do; 0 runs it immediately.
        connections: The most open connections; a further one gets 503 for all but `/healthz` and
            `/readyz`. Where the system allows fewer open files, it is lowered with a warning.
        header_seconds: The most seconds until the headers of a request are whole, from the start
            of the connection or of the request, else 408.
        body_seconds: The most seconds for sending a body, else 408, and for reading an answer.
        idle_seconds: Seconds that a connection is kept after an answer. A proxy in front should
            keep its own for less, so that it sends no request into one that is being closed.

    Raises:
        InputError: If a limit lets nothing through.

    Example:
        >>> Limits(request_rows=8).waiting_rows
        1024
    """

    body_bytes: int = 1 << 20
    request_rows: int = 128
    request_tokens: int = 32768
    waiting_rows: int = 1024
    batch_tokens: int = 4096
    wait_ms: float = 5.0
    connections: int = 1024
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, option = getattr(self, field.name), _option(field.name)
            if field.name.endswith("_seconds"):
                check(0 < value < float("inf"), option, "a positive number of seconds", value)
            else:
                minimum = 0 if field.name == "wait_ms" else 1
                check(value >= minimum, option, f"at least {minimum}", value)
        limit = f"at most --waiting-rows, which is {self.waiting_rows}"
        check(self.request_rows <= self.waiting_rows, "--request-rows", limit, self.request_rows)


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"
