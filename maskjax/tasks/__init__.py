"""Tasks: their rows, tokenized and batched, and their metrics."""

from maskjax.tasks.batching import Batch, buckets_used, eval_batches, num_batches, train_batches
from maskjax.tasks.build_task import METRICS_OF, task_name
from maskjax.tasks.cache import encode_cached
from maskjax.tasks.confusion import Confusion, count_confusion
from maskjax.tasks.encode import encode
from maskjax.tasks.encoded import Encoded
from maskjax.tasks.labeled import load_labeled, read_labeled_part, with_columns
from maskjax.tasks.load import load_task, load_test_texts
from maskjax.tasks.local import read_file, split_name
from maskjax.tasks.metrics import METRICS, score
from maskjax.tasks.ner_metrics import ENTITY_METRICS, entity_score
from maskjax.tasks.ragged import Ragged
from maskjax.tasks.readers import Table, read_table
from maskjax.tasks.registry import REGISTRY, register
from maskjax.tasks.spec import Columns, Entry
from maskjax.tasks.submission import submission_file, submission_text
from maskjax.tasks.task import IGNORED, LoadedTask, Split, Task
from maskjax.tasks.texts import read_texts
from maskjax.tasks.token_files import read_token_file
from maskjax.tasks.tokenizer import load_base_tokenizer, load_tokenizer
from maskjax.tasks.tokenizer_class import Tokenizer
from maskjax.tasks.truncation import describe_truncated, note_on_truncated

__all__ = [
    "ENTITY_METRICS",
    "IGNORED",
    "METRICS",
    "METRICS_OF",
    "REGISTRY",
    "Batch",
    "Columns",
    "Confusion",
    "Encoded",
    "Entry",
    "LoadedTask",
    "Ragged",
    "Split",
    "Table",
    "Task",
    "Tokenizer",
    "buckets_used",
    "count_confusion",
    "describe_truncated",
    "encode",
    "encode_cached",
    "entity_score",
    "eval_batches",
    "load_base_tokenizer",
    "load_labeled",
    "load_task",
    "load_test_texts",
    "load_tokenizer",
    "note_on_truncated",
    "num_batches",
    "read_file",
    "read_labeled_part",
    "read_table",
    "read_texts",
    "read_token_file",
    "register",
    "score",
    "split_name",
    "submission_file",
    "submission_text",
    "task_name",
    "train_batches",
    "with_columns",
]
