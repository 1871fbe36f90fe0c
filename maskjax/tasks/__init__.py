"""Tasks: their rows, tokenised and batched, and their metrics."""

from maskjax.tasks.batching import Batch, buckets_used, eval_batches, num_batches, train_batches
from maskjax.tasks.cache import encode_cached
from maskjax.tasks.define import METRICS_OF, find_columns
from maskjax.tasks.encode import Encoded, encode
from maskjax.tasks.entities import ENTITY_METRICS, entity_score
from maskjax.tasks.entry import Columns, Entry
from maskjax.tasks.load import load_task, load_test_texts
from maskjax.tasks.local import read_file
from maskjax.tasks.metrics import METRICS, score
from maskjax.tasks.ragged import Ragged
from maskjax.tasks.registry import REGISTRY, register
from maskjax.tasks.rows import read_texts
from maskjax.tasks.submission import submission_file, submission_text
from maskjax.tasks.tables import Table, read_table
from maskjax.tasks.task import LoadedTask, Split, Task
from maskjax.tasks.token_files import read_token_file
from maskjax.tasks.tokenizer import load_tokenizer

__all__ = [
    "ENTITY_METRICS",
    "METRICS",
    "METRICS_OF",
    "REGISTRY",
    "Batch",
    "Columns",
    "Encoded",
    "Entry",
    "LoadedTask",
    "Ragged",
    "Split",
    "Table",
    "Task",
    "buckets_used",
    "encode",
    "encode_cached",
    "entity_score",
    "eval_batches",
    "find_columns",
    "load_task",
    "load_test_texts",
    "load_tokenizer",
    "num_batches",
    "read_file",
    "read_table",
    "read_texts",
    "read_token_file",
    "register",
    "score",
    "submission_file",
    "submission_text",
    "train_batches",
]
