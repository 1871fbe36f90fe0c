"""The paper's eleven tasks on its three encoders, from one table.

    python train.py --config configs/tasks.py:mrpc --out runs/mrpc
    python train.py --config configs/tasks.py:mrpc,roberta,paper --out runs/mrpc-roberta-paper
    python train.py --config configs/tasks.py:ud_pos,small --out runs/pos --task.path FOLDER

The words after the colon are a task, which comes first, and then in any order an encoder, a recipe
and a size. Without them: `sst2,bert,mask,full`. Any name of `maskjax tasks` is a task too.
`--task.path FOLDER` reads rows from a folder instead of the Hub. The file ships with the package:
`maskjax train --config tasks:mrpc` works without a clone.
"""

import dataclasses

from maskjax.config import (
    AdaptationConfig,
    Config,
    ModelConfig,
    OptimizerConfig,
    TaskConfig,
    TrainConfig,
)
from maskjax.errors import InputError, suggest

TASKS = {
    # name: the task in the registry, rows a batch in the paper
    "mrpc": ("glue/mrpc", 32),
    "sst2": ("glue/sst2", 32),
    "cola": ("glue/cola", 32),
    "rte": ("glue/rte", 32),
    "qnli": ("glue/qnli", 128),
    "semeval": ("semeval2016", 32),
    "trec": ("trec", 32),
    "ag": ("ag_news", 128),
    "pos": ("ud_pos", 32),  # the open stand-in for the Penn Treebank, which is ptb_pos
    "ner": ("conll2003", 32),
    "swag": ("swag", 32),
}
WITHOUT_DEV = ("trec", "trec/fine", "ag_news", "semeval2016", "ptb_pos")
"""Tasks whose models are chosen on a tenth of the training rows."""

ENCODERS = {
    "bert": "google-bert/bert-base-uncased",
    "roberta": "FacebookAI/roberta-base",
    "distilbert": "distilbert/distilbert-base-uncased",
    "minilm": "minilm",
}

RECIPES = {
    # adaptation, optimizer and dropout; how they compare is in docs/results-appendix.md
    "mask": (AdaptationConfig(), OptimizerConfig(), 0.0),
    "paper": (
        # Blocks 2 to 11, or 2 to 5 of DistilBERT, the pooler and a random frozen head.
        AdaptationConfig(initializer="uniform", sparsity=0.05, head="masked"),
        OptimizerConfig(name="adam", learning_rate=1e-3, schedule="constant", warmup=0.0, clip=0.0),
        None,
    ),
    "finetune": (
        AdaptationConfig(method="finetune"),
        OptimizerConfig(learning_rate=5e-5),
        None,
    ),
    "lora": (AdaptationConfig(method="lora"), OptimizerConfig(), None),
    "head": (AdaptationConfig(method="head"), OptimizerConfig(), 0.0),
}

SIZES = ("full", "small")


def get_config(words: str = "sst2") -> Config:
    """The experiment that some words name.

    Args:
        words: A task, then an encoder, a recipe and a size, with commas between them.

    Returns:
        Its configuration. `full` is the paper's: ten epochs, stopped after two without a better
        score. `small` takes minutes on a CPU: MiniLM and some thousand short rows.

    Raises:
        InputError: If a word is none of these.
    """
    task, *others = words.split(",")
    chosen = {"encoder": "bert", "recipe": "mask", "size": "full"}
    for word in others:
        chosen[_meaning(word)] = word
    name, batch_size = TASKS.get(task, (task, 32))
    adaptation, optimizer, dropout = RECIPES[chosen["recipe"]]
    config = Config(
        model=ModelConfig(base=ENCODERS[chosen["encoder"]]),
        task=TaskConfig(name=name, holdout=0.1 if name in WITHOUT_DEV else 0.0),
        adaptation=adaptation,
        optimizer=optimizer,
        # Scores are looked at twice an epoch, hence a patience of four.
        train=TrainConfig(batch_size=batch_size, epochs=10, patience=4, dropout=dropout),
    )
    return _small(config) if chosen["size"] == "small" else config


def _meaning(word: str) -> str:
    known = {"encoder": ENCODERS, "recipe": RECIPES, "size": SIZES}
    for meaning, words in known.items():
        if word in words:
            return meaning
    words = [word for group in known.values() for word in group]
    raise InputError(f"expected one of {', '.join(words)}, got {word!r}; {suggest(word, words)}")


def _small(config: Config) -> Config:
    return dataclasses.replace(
        config,
        model=ModelConfig(base="minilm"),
        task=dataclasses.replace(config.task, train_rows=2000, eval_rows=500, max_length=64),
        train=dataclasses.replace(config.train, batch_size=32, epochs=3, buckets=(16, 32, 64)),
    )
