"""The numbers of a server, in Prometheus' text format."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)


class Metrics:
    """The numbers of one server; the help texts say what each counts.

    Attributes:
        registry: Holds them all.

    Args:
        resident: Bytes by place, computed whenever the metrics are read.
    """

    def __init__(self, resident: Callable[[], Mapping[str, int]]) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(_Resident(resident))

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"maskjax_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"maskjax_{name}", text, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"maskjax_{name}", text, labels, buckets=buckets, registry=registry)

        self.requests = counter("requests", "Answers by HTTP status.", "status")
        text = "From the end of a request's body to its answer, by task."
        self.latency = histogram("request_seconds", text, SECONDS, "task")
        self.queue = gauge("queue_rows", "Rows accepted and not answered yet.")
        self.dropped = counter("dropped_rows", "Rows not run, their clients had gone.")
        self.batch_rows = histogram("batch_rows", "Rows per batch.", ROWS)
        text = "The share of a batch's budget of tokens that it used."
        self.batch_fill = histogram("batch_fill_ratio", text, SHARES)
        text = "How long the model took for a batch."
        self.batch_seconds = histogram("batch_seconds", text, SECONDS)
        self.tasks = gauge("tasks", "Tasks that are served.")
        text = "Task files that were added, removed or refused."
        self.task_files = counter("task_files", text, "event")

    def observe_latency(self, task: str, seconds: float) -> None:
        """Adds to `latency`; half of a surrogate pair in a name is escaped, for it has no UTF-8."""
        name = task.encode("utf8", "backslashreplace").decode("utf8")
        self.latency.labels(name).observe(seconds)

    def forget(self, task: str) -> None:
        """Drops the numbers of a removed task, so that names do not accumulate."""
        self.latency.remove(task)

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self.registry)


class _Resident(Collector):
    """Bytes by place, measured when the metrics are read."""

    def __init__(self, resident: Callable[[], Mapping[str, int]]) -> None:
        self._resident = resident

    def describe(self) -> list[GaugeMetricFamily]:
        """The name alone, so that registering measures nothing."""
        return [self._family()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One value per place."""
        family = self._family()
        for place, size in self._resident().items():
            family.add_metric([place], size)
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "maskjax_resident_bytes", "Bytes that are held, by place.", labels=["place"]
        )
