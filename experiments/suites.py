"""The suites of `experiments.quality`: which tasks, methods, rates and seeds stand in a table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from maskjax.config import AdaptationConfig, OptimizerConfig


class Rows(NamedTuple):
    """Where a task's rows are in the registry, and how long they may be.

    Attributes:
        name: The task in the registry.
        max_length: Tokens a sequence.
        reported: The split that is reported.
    """

    name: str
    max_length: int
    reported: str


TASKS = {
    "sst2": Rows("glue/sst2", 64, "test"),
    "cola": Rows("glue/cola", 64, "dev"),
    "mrpc": Rows("glue/mrpc", 96, "test"),
    "rte": Rows("glue/rte", 128, "dev"),
    "qnli": Rows("glue/qnli", 128, "dev"),
    "stsb": Rows("glue/stsb", 64, "test"),
    "trec": Rows("trec", 64, "test"),
    "ag_news": Rows("ag_news", 64, "test"),
    "ewt_pos": Rows("ud_pos", 64, "test"),
    "wnut17": Rows("wnut17", 64, "test"),
    "arc_easy": Rows("arc_easy", 64, "dev"),
}


class Rival(NamedTuple):
    """A way to adapt the model.

    Attributes:
        adaptation: The method.
        dropout: While training; None is the checkpoint's.
        optimizer: All but the learning rate.
    """

    adaptation: AdaptationConfig
    dropout: float | None = None
    optimizer: OptimizerConfig = OptimizerConfig()


HEAD_RATE = OptimizerConfig(head_learning_rate=1e-3)
MASK = Rival(AdaptationConfig(), 0.0, HEAD_RATE)
FINETUNE = Rival(AdaptationConfig(method="finetune"))
GRID_METHODS = {
    "mask": MASK,
    "mask, dropout 0.1": MASK._replace(dropout=None),
    "ones": Rival(AdaptationConfig(initializer="ones"), None, HEAD_RATE),
    "paper": Rival(AdaptationConfig(initializer="uniform", head="masked")),
    "finetune": FINETUNE,
    "finetune, no dropout": Rival(AdaptationConfig(method="finetune"), 0.0),
}
TASK_METHODS = {
    "mask": MASK,
    "finetune": Rival(AdaptationConfig(method="finetune"), 0.0),
    "lora": Rival(AdaptationConfig(method="lora"), 0.0),
    "head": Rival(AdaptationConfig(method="head"), 0.0),
}


def _uniform(sparsity: float) -> Rival:
    return MASK._replace(adaptation=AdaptationConfig(initializer="uniform", sparsity=sparsity))


SWEEP_METHODS = {
    "mask": MASK,
    "head masked": MASK._replace(adaptation=AdaptationConfig(head="masked")),
    "head both": MASK._replace(adaptation=AdaptationConfig(head="both")),
    **{f"margin {m:g}": MASK._replace(adaptation=AdaptationConfig(margin=m)) for m in (0.02, 0.1)},
    **{f"uniform {100 * s:g} %": _uniform(s) for s in (0.01, 0.05, 0.1, 0.2, 0.5)},
    "all blocks": MASK._replace(adaptation=AdaptationConfig(blocks=(0, 5))),
    "linear": MASK._replace(optimizer=replace(HEAD_RATE, schedule="linear")),
    "constant": MASK._replace(optimizer=replace(HEAD_RATE, schedule="constant")),
    "no clipping": MASK._replace(optimizer=replace(HEAD_RATE, clip=0.0)),
    "signsgd": MASK._replace(optimizer=replace(HEAD_RATE, name="signsgd")),
}
"""The default recipe with one thing changed."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A table of cells.

    Attributes:
        methods: Those of its cells.
        rates: The learning rates of each method; with several, held-out rows of BERT's first seed
            choose the one at which other seeds and encoders are run.
        planned: `{(encoder, method): tasks}`.
        train_rows: At most so many training rows, of which a tenth is held out.
        eval_rows: At most so many rows are reported on; None means all.
        epochs: Passes over the training rows.
        seeds: Seeds of each cell.
        long: Tasks that are run at the first of their rates only.
    """

    methods: Mapping[str, Rival]
    rates: Mapping[str, tuple[float, ...]]
    planned: Mapping[tuple[str, str], tuple[str, ...]]
    train_rows: int
    eval_rows: int | None = None
    epochs: int = 3
    seeds: tuple[int, ...] = (0, 1, 2)
    long: tuple[str, ...] = ()

    def rates_of(self, task: str, method: str) -> tuple[float, ...]:
        """The learning rates at which a task is run by a method."""
        return self.rates[method][: 1 if task in self.long else None]


FOUR = ("sst2", "cola", "trec", "ewt_pos")
SUITES = {
    "grid": Suite(
        methods=GRID_METHODS,
        rates={
            "mask": (5e-4, 1e-3, 2e-3),
            "mask, dropout 0.1": (5e-4, 1e-3, 2e-3),
            "ones": (1e-3, 3e-3),
            "paper": (3e-3,),
            "finetune": (5e-5, 1e-4, 2e-4),
            "finetune, no dropout": (5e-5, 1e-4),
        },
        planned={
            **{("bert", method): ("sst2", "trec", "cola") for method in GRID_METHODS},
            ("distilbert", "mask"): ("cola",),
            ("roberta", "mask"): ("cola",),
        },
        train_rows=6000,
    ),
    "tasks": Suite(
        methods=TASK_METHODS,
        rates={
            "mask": (1e-3, 2e-3),
            "finetune": (1e-4, 2e-4),
            "lora": (1e-3, 3e-3),
            "head": (1e-3, 1e-2),
        },
        planned={
            ("bert", "mask"): tuple(TASKS),
            ("bert", "finetune"): tuple(TASKS),
            ("bert", "lora"): FOUR,
            ("bert", "head"): FOUR,
            ("distilbert", "mask"): FOUR,
            ("roberta", "mask"): FOUR,
        },
        train_rows=3000,
        eval_rows=1000,
        long=("mrpc", "qnli", "ag_news"),
    ),
    "sweep": Suite(
        methods=SWEEP_METHODS,
        rates={
            # Scores of the paper's start lie five times as far from the threshold.
            name: (3e-3 if rival.adaptation.initializer == "uniform" else 1e-3,)
            for name, rival in SWEEP_METHODS.items()
        },
        planned={
            **{("bert", method): ("trec", "sst2") for method in SWEEP_METHODS},
            **{
                (encoder, method): ("trec",)
                for encoder in ("distilbert", "roberta")
                for method in ("mask", "head masked", "head both")
            },
        },
        train_rows=3000,
        eval_rows=1000,
        seeds=(0, 1),
    ),
}
"""`grid` compares settings on three tasks with up to 6,000 rows, `tasks` the chosen ones on all of
them, and `sweep` changes one setting at a time."""
