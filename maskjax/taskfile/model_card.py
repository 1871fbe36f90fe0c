"""Model cards: a description of a task, its scores, and the metadata for the Hub."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

_METRICS = {"matthews": "matthews_correlation", "pearson": "pearsonr", "spearman": "spearmanr"}
"""The Hub's names of metrics, if they differ from those of maskjax."""

_CARD = """---
{front}
---

# {name}

{what}. It is a task for [maskjax](https://arxiv.org/abs/2004.12406): {method} over the frozen
weights of `{base}`, {size:,} bytes in all. The base itself is not in here and is never changed.

```python
from maskjax.inference import load_predictor

predictor = load_predictor("{repository}")
predictor([({example},)])
```

Texts are read from {columns} and {lengths}. `maskjax export {repository} --to hf
--out folder` makes an ordinary model for PyTorch of it.

| split | {metric} |
|---|---|
{scores}
"""


_KINDS = {"tokens": "token-classification", "choice": "multiple-choice"}
"""The Hub's names of the kinds of tasks that are no text classification."""

_WITHOUT_PIPELINE = ("choice",)
"""Kinds for which transformers has no pipeline."""


def task_card(
    meta: Mapping[str, Any], *, repository: str, size: int, license: str | None = None
) -> str:
    """Writes the card of a published task file.

    Args:
        meta: The metadata of the task file.
        repository: Its Hub id.
        size: Bytes of the file.
        license: An identifier of the Hub, such as `apache-2.0`.

    Returns:
        Markdown with front matter.
    """
    task, method = meta["task"], meta["config"]["adaptation"]["method"]
    choices = task["labels"] if task["kind"] == "choice" else []
    return _CARD.format(
        front=front_matter(meta, "maskjax", license).to_yaml(),
        name=task["name"],
        what=describe_outputs(task),
        method="a binary mask" if method == "mask" else f"what `{method}` learned",
        base=meta["base"]["name"],
        size=size,
        repository=repository,
        example=", ".join('"..."' for _ in [*task["text"], *choices]),
        columns=" and ".join(f"`{column}`" for column in task["text"]),
        lengths=describe_lengths(meta),
        metric=task["metric"],
        scores=score_rows(meta),
    )


def front_matter(
    meta: Mapping[str, Any], library: str, license: str | None = None
) -> ModelCardData:
    """The metadata of a card: library, base model, license and scores.

    Args:
        meta: The metadata of the task file.
        library: The library that loads the repository.
        license: An identifier of the Hub.

    Returns:
        The front matter.
    """
    task, base = meta["task"], meta["base"]
    metric, kind = str(task["metric"]), _KINDS.get(task["kind"], "text-classification")
    results = [
        EvalResult(
            task_type=kind,
            dataset_type=task["name"],
            dataset_name=task["name"],
            dataset_split=split,
            metric_type=_METRICS.get(metric, metric),
            metric_value=round(score, 4),
        )
        for split, score in meta["scores"].items()
    ]
    return ModelCardData(
        library_name=library,
        pipeline_tag=None if task["kind"] in _WITHOUT_PIPELINE else kind,
        base_model=base["name"] if base["revision"] else None,  # set for Hub ids only
        license=license,
        tags=["maskjax"],
        model_name=task["name"],
        eval_results=results or None,
    )


def describe_outputs(task: Mapping[str, Any]) -> str:
    """Describes the predictions of a task in a phrase.

    Args:
        task: The header's `task`.

    Returns:
        The phrase.

    Example:
        >>> describe_outputs({"kind": "classification", "labels": ["no", "yes"]})
        'Classification into `no`, `yes`'
    """
    labels = ", ".join(f"`{label}`" for label in task["labels"])
    match task["kind"]:
        case "regression":
            return "Regression: the score is the number itself"
        case "tokens":
            return f"One of {labels} for each word"
        case "choice":
            return f"Multiple choice among {labels}"
        case _:
            return f"Classification into {labels}"


def describe_lengths(meta: Mapping[str, Any]) -> str:
    """Says in a phrase what is done to long texts.

    Args:
        meta: The metadata of a task file.

    Returns:
        The phrase.

    Example:
        >>> describe_lengths({"tokenizer": {"max_length": 128}, "config": {"task": {"stride": 32}}})
        'read in windows of 128 tokens, of which neighbors share 32'
    """
    length, stride = meta["tokenizer"]["max_length"], stride_of(meta)
    if stride is None:
        return f"cut to {length} tokens"
    return f"read in windows of {length} tokens, of which neighbors share {stride}"


def stride_of(meta: Mapping[str, Any]) -> int | None:
    """The tokens that neighboring windows of a long text share.

    Args:
        meta: The metadata of a task file, perhaps of an earlier version.

    Returns:
        Their number; None if long texts are cut.

    Example:
        >>> stride_of({"config": {"task": {"max_length": 128}}}) is None
        True
    """
    return meta["config"].get("task", {}).get("stride")


def score_rows(meta: Mapping[str, Any]) -> str:
    """The scores as rows of a Markdown table.

    Args:
        meta: The metadata of the task file.

    Returns:
        One row per split, or one row without a score.
    """
    rows = [f"| {split} | {score:.4f} |" for split, score in meta["scores"].items()]
    return "\n".join(rows or ["| not measured | |"])
