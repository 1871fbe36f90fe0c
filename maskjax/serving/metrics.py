"""What a server counts, in Prometheus' text format."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)


class Metrics:
    """The numbers of one server.

    Attributes:
        registry: Holds them all.
        requests: Answers by HTTP status.
        latency: Seconds from the end of a request's body to its answer, by task; the base's
            features are `(base)`.
        queue: Rows that are accepted and not answered yet.
        dropped: Rows that were not run, since their clients had gone.
        batch_rows: Rows a batch.
        batch_fill: The share of a batch's budget of tokens that it used.
        batch_seconds: How long the model took for a batch.
        tasks: Tasks that are served.
        task_files: What became of task files: `added`, `removed`, `refused`.

    Args:
        resident: Bytes by place, computed whenever the metrics are read.
    """

    def __init__(self, resident: Callable[[], Mapping[str, int]]) -> None:
        registry = CollectorRegistry()
        registry.register(_Resident(resident))
        self.registry = registry
        self.requests = Counter(
            "maskjax_requests", "Answers by HTTP status.", ["status"], registry=registry
        )
        self.latency = Histogram(
            "maskjax_request_seconds",
            "From the end of a request's body to its answer, by task.",
            ["task"],
            buckets=SECONDS,
            registry=registry,
        )
        self.queue = Gauge(
            "maskjax_queue_rows", "Rows accepted and not answered yet.", registry=registry
        )
        self.dropped = Counter(
            "maskjax_dropped_rows", "Rows not run, their clients had gone.", registry=registry
        )
        self.batch_rows = Histogram(
            "maskjax_batch_rows", "Rows a batch.", buckets=ROWS, registry=registry
        )
        self.batch_fill = Histogram(
            "maskjax_batch_fill_ratio",
            "The share of a batch's budget of tokens that it used.",
            buckets=SHARES,
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "maskjax_batch_seconds",
            "How long the model took for a batch.",
            buckets=SECONDS,
            registry=registry,
        )
        self.tasks = Gauge("maskjax_tasks", "Tasks that are served.", registry=registry)
        self.task_files = Counter(
            "maskjax_task_files", "What became of task files.", ["event"], registry=registry
        )

    def observe_latency(self, task: str, seconds: float) -> None:
        """Adds to `latency`; half of a surrogate pair in a name is escaped, for it has no UTF-8."""
        name = task.encode("utf8", "backslashreplace").decode("utf8")
        self.latency.labels(name).observe(seconds)

    def forget(self, task: str) -> None:
        """Drops the numbers of a task that is gone, so that names do not accumulate."""
        self.latency.remove(task)

    def text(self) -> bytes:
        """All numbers as Prometheus reads them."""
        return generate_latest(self.registry)


class _Resident(Collector):
    """Bytes by place, measured when they are asked for."""

    def __init__(self, resident: Callable[[], Mapping[str, int]]) -> None:
        self._resident = resident

    def describe(self) -> list[GaugeMetricFamily]:
        """The name alone, so that registering measures nothing."""
        return [self._family()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One value a place."""
        family = self._family()
        for place, size in self._resident().items():
            family.add_metric([place], size)
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "maskjax_resident_bytes", "Bytes that are held, by place.", labels=["place"]
        )
