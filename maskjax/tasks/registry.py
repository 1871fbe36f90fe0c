"""The built-in tasks, one line each."""

from dataclasses import dataclass

from maskjax.tasks.task import Kind


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where the rows of a task are, and how to read them.

    Attributes:
        hub: The id of the data set on the Hugging Face Hub; None for the tasks of `docstrings`.
        subset: The data set's configuration on the Hub.
        text: The text columns.
        label: The label column.
        kind: What is predicted.
        metric: The metric that selects models; None is accuracy, or Pearson for regression.
    """

    hub: str | None
    subset: str | None = None
    text: tuple[str, ...] = ("text",)
    label: str = "label"
    kind: Kind = "classification"
    metric: str | None = None


def _glue(
    subset: str, *text: str, kind: Kind = "classification", metric: str | None = None
) -> Entry:
    return Entry(hub="nyu-mll/glue", subset=subset, text=text, kind=kind, metric=metric)


REGISTRY: dict[str, Entry] = {
    "docstrings/library": Entry(hub=None),
    "docstrings/kind": Entry(hub=None),
    "glue/cola": _glue("cola", "sentence", metric="matthews"),
    "glue/sst2": _glue("sst2", "sentence"),
    "glue/mrpc": _glue("mrpc", "sentence1", "sentence2"),
    "glue/stsb": _glue("stsb", "sentence1", "sentence2", kind="regression"),
    "glue/qnli": _glue("qnli", "question", "sentence"),
    "glue/rte": _glue("rte", "sentence1", "sentence2"),
    # The original, CogComp/trec, is a loading script, which datasets has stopped running.
    "trec": Entry(hub="SetFit/TREC-QC", label="label_coarse_original"),
    "ag_news": Entry(hub="fancyzhx/ag_news"),
}


def lookup(name: str) -> Entry:
    """Finds a built-in task, or takes the name for a data set on the Hub with the usual columns.

    Args:
        name: A key of `REGISTRY`, or the id of any data set on the Hugging Face Hub.

    Returns:
        Where its rows are, and how to read them.

    Example:
        >>> lookup("glue/mrpc").text
        ('sentence1', 'sentence2')
        >>> lookup("someone/reviews").hub
        'someone/reviews'
    """
    is_ours = name.startswith("docstrings/")  # so that a typo is not looked for on the Hub
    return REGISTRY.get(name, Entry(hub=None if is_ours else name))
