import pytest

from maskjax.errors import InputError
from maskjax.tasks import REGISTRY, Task, submission_file, submission_text
from maskjax.tasks.submission import FILES

PAIR = ("entailment", "not_entailment")


@pytest.mark.parametrize(
    ("name", "labels", "lines"),
    [
        ("glue/cola", ("acceptable", "unacceptable"), ["1", "0"]),
        ("glue/cola", ("1", "0"), ["1", "0"]),
        ("glue/qqp", ("duplicate", "not_duplicate"), ["1", "0"]),
        ("glue/wnli", PAIR, ["1", "0"]),
        ("glue/rte", PAIR, list(PAIR)),
        ("glue/mnli", ("neutral", "contradiction"), ["neutral", "contradiction"]),
    ],
)
def test_labels_have_the_spelling_of_the_leaderboard(name, labels, lines):
    """Names matter, and not their order, which a user may have chosen."""
    text = submission_text(Task(name=name, labels=labels), labels)
    assert text == f"index\tprediction\n0\t{lines[0]}\n1\t{lines[1]}\n"


def test_numbers_stay_in_the_range_of_the_task():
    task = Task(name="glue/stsb", kind="regression")
    text = submission_text(task, [5.3, -0.1, 2.34567])
    assert text == "index\tprediction\n0\t5.000\n1\t0.000\n2\t2.346\n"


def test_every_glue_task_has_its_file():
    names = {name for name in REGISTRY if name.startswith("glue/")}
    assert {name for name, _ in FILES} == names
    assert submission_file(Task(name="glue/mnli"), "test") == "MNLI-m.tsv"
    assert len(set(FILES.values())) == len(FILES) == 10


def test_other_tasks_and_labels_are_refused():
    with pytest.raises(
        InputError, match=r"Task trec: the GLUE leaderboard accepts test of glue/cola"
    ):
        submission_file(Task(name="trec"), "test")
    with pytest.raises(InputError, match=r"has the labels 0, 1, unacceptable.* not 'good'"):
        submission_text(Task(name="glue/cola"), ["good"])
