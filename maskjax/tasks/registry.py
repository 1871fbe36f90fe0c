"""The table of built-in tasks, which `register` extends."""

from collections.abc import Mapping

from maskjax.tasks.spec import HUB_SPLITS, PARQUET, Columns, Entry

TRAIN_TEST = {"train": "train", "test": "test"}
MATCHED = {
    "train": "train",
    "dev": "validation_matched",
    "dev_mismatched": "validation_mismatched",
    "test": "test_matched",
    "test_mismatched": "test_mismatched",
}
ENDINGS = ("ending0", "ending1", "ending2", "ending3")
INSTALLED = "those of the installed packages"
QUORA = Columns(("question1", "question2"), "is_duplicate")
# The names that `.conll` and `.txt` files get here, and those of common files with a header.
WORDS = (Columns(("token",), "tag"), Columns(("tokens",), "tags"), Columns(("form",), "upos"))


def _glue(
    subset: str,
    *text: str,
    license: str = "not stated",
    also: tuple[Columns, ...] = (),
    metric: str | None = None,
    splits: Mapping[str, str] = HUB_SPLITS,
) -> Entry:
    return Entry(
        hub="nyu-mll/glue",
        subset=subset,
        splits=splits,
        text=text,
        also=also,
        kind="regression" if subset == "stsb" else "classification",
        metric=metric,
        license=license,
    )


REGISTRY: dict[str, Entry] = {
    "docstrings/ending": Entry(
        question="Which of two endings belongs to this beginning of a sentence?",
        text=("beginning",),
        choices=("first_ending", "second_ending"),
        kind="choice",
        license=INSTALLED,
        tried=True,
    ),
    "docstrings/order": Entry(
        question="Which of two sentences is as its author wrote it?",
        text=("object",),
        choices=("first_sentence", "second_sentence"),
        kind="choice",
        license=INSTALLED,
        tried=True,
    ),
    "docstrings/library": Entry(
        question="Which library documents an object with this sentence?",
        license=INSTALLED,
        tried=True,
    ),
    "docstrings/kind": Entry(
        question="Does this sentence document a class, a function or a method?",
        license=INSTALLED,
        tried=True,
    ),
    "glue/cola": _glue("cola", "sentence", metric="matthews", license="research use"),
    "glue/sst2": _glue("sst2", "sentence"),
    "glue/mrpc": _glue(
        "mrpc",
        "sentence1",
        "sentence2",
        also=(Columns(("#1 String", "#2 String"), "Quality"),),
        license="Microsoft Research terms",
    ),
    "glue/qqp": _glue("qqp", "question1", "question2", also=(QUORA,), license="Quora's terms"),
    "glue/stsb": _glue(
        "stsb",
        "sentence1",
        "sentence2",
        also=(Columns(("sentence1", "sentence2"), "score"),),
        license="CC BY-SA 4.0",
    ),
    "glue/mnli": _glue(
        "mnli",
        "premise",
        "hypothesis",
        also=(Columns(("sentence1", "sentence2"), "gold_label"),),
        splits=MATCHED,
        license="OANC, CC BY and others",
    ),
    "glue/qnli": _glue("qnli", "question", "sentence", license="CC BY-SA 4.0"),
    "glue/rte": _glue("rte", "sentence1", "sentence2"),
    "glue/wnli": _glue("wnli", "sentence1", "sentence2"),
    # The rows of the shared task of 2017: those for training are from 2013 to 2016, and those for
    # development, to judge by their number, are most of the test rows of 2016.
    "semeval2016": Entry(
        hub="maxmoynan/SemEval2017-Task4aEnglish",
        splits={"train": "train", "test": "development"},
        text=("tweet",),
        label="sentiment",
        also=(Columns(),),
        metric="macro_recall",
        license="terms of Twitter",
    ),
    "trec": Entry(
        hub="CogComp/trec",
        subset="default",
        revision=PARQUET,
        splits=TRAIN_TEST,
        label="coarse_label",
        also=(Columns(("question",), "coarse"),),
    ),
    "trec/fine": Entry(
        hub="CogComp/trec",
        subset="default",
        revision=PARQUET,
        splits=TRAIN_TEST,
        label="fine_label",
        also=(Columns(("question",), "coarse:fine"),),
    ),
    "ag_news": Entry(hub="fancyzhx/ag_news", splits=TRAIN_TEST, license="non-commercial"),
    "ud_pos": Entry(
        hub="universal-dependencies/universal_dependencies",
        subset="en_ewt",
        revision=PARQUET,
        text=("tokens",),
        label="upos",
        also=(Columns(("form",), "upos"), *WORDS),
        kind="tokens",
        license="CC BY-SA 4.0",
    ),
    "ptb_pos": Entry(
        text=("token",),
        label="tag",
        also=(Columns(("form",), "xpos"), *WORDS),
        kind="tokens",
        license="of the LDC, from a local file only",
    ),
    "conll2003": Entry(
        hub="lhoestq/conll2003",
        text=("tokens",),
        label="ner_tags",
        also=WORDS,
        kind="tokens",
        metric="entity_f1",
        license="research use (Reuters)",
    ),
    "wnut17": Entry(
        hub="leondz/wnut_17",
        subset="wnut_17",
        revision=PARQUET,
        text=("tokens",),
        label="ner_tags",
        also=WORDS,
        kind="tokens",
        metric="entity_f1",
        license="CC BY 4.0",
    ),
    "swag": Entry(
        hub="allenai/swag",
        subset="regular",
        text=("sent1", "sent2"),
        choices=ENDINGS,
        kind="choice",
    ),
    "arc_easy": Entry(text=("question",), choices=ENDINGS, kind="choice", license="CC BY-SA 4.0"),
}


def register(name: str, entry: Entry) -> None:
    """Adds a task for `--task.name`; call it in a configuration file.

    Args:
        name: The name of the task.
        entry: The source of its rows, and how to read them.

    Raises:
        ValueError: If there is a task of this name.

    Example:
        >>> register("example/films", Entry(hub="someone/films", text=("review",), label="stars"))
        >>> lookup("example/films").label
        'stars'
        >>> del REGISTRY["example/films"]
    """
    if name in REGISTRY:
        raise ValueError(f"There is a task {name!r} already; choose another name.")
    REGISTRY[name] = entry


def lookup(name: str) -> Entry:
    """Finds a built-in task, or takes the name for a data set on the Hub with the usual columns.

    Example:
        >>> lookup("glue/mrpc").text
        ('sentence1', 'sentence2')
        >>> lookup("someone/reviews").hub
        'someone/reviews'
    """
    is_built_in = name.startswith("docstrings/")  # so that a typo is not looked up on the Hub
    return REGISTRY.get(name, Entry(hub=None if is_built_in else name))
