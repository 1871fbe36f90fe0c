"""One base and its tasks behind HTTP: batches across requests, tasks that come and go."""

from maskjax.serving.app import Service, make_app
from maskjax.serving.batcher import Batcher, BusyError
from maskjax.serving.metrics import Metrics
from maskjax.serving.server import bind, serve
from maskjax.serving.watch import Watcher

__all__ = [
    "Batcher",
    "BusyError",
    "Metrics",
    "Service",
    "Watcher",
    "bind",
    "make_app",
    "serve",
]
