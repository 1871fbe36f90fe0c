"""Tasks: their rows, tokenised and batched, and their metrics."""

from maskjax.tasks.batching import Batch, buckets_used, eval_batches, num_batches, train_batches
from maskjax.tasks.encode import Encoded, encode, load_tokenizer
from maskjax.tasks.load import load_task
from maskjax.tasks.metrics import METRICS, score
from maskjax.tasks.registry import REGISTRY
from maskjax.tasks.rows import read_texts
from maskjax.tasks.tables import Table, read_table
from maskjax.tasks.task import LoadedTask, Split, Task

__all__ = [
    "METRICS",
    "REGISTRY",
    "Batch",
    "Encoded",
    "LoadedTask",
    "Split",
    "Table",
    "Task",
    "buckets_used",
    "encode",
    "eval_batches",
    "load_task",
    "load_tokenizer",
    "num_batches",
    "read_table",
    "read_texts",
    "score",
    "train_batches",
]
