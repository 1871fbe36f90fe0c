import numpy as np
import pytest
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

from maskjax.inference import score_logits
from maskjax.tasks import Task, entity_score
from maskjax.tasks.ner_metrics import count_orphans, entities

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def random_tags(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tags of sentences in any order, some of them wrong, as class ids; and the sizes."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 9, size=30)
    labels = random.integers(len(TAGS), size=sizes.sum())
    noise = random.integers(len(TAGS), size=sizes.sum())
    return np.where(random.random(sizes.sum()) < 0.7, labels, noise), labels, sizes


def as_sentences(ids: np.ndarray, sizes: np.ndarray) -> list[list[str]]:
    return [[TAGS[tag] for tag in one] for one in np.split(ids, np.cumsum(sizes)[:-1])]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.filterwarnings("ignore::UserWarning:seqeval")
def test_random_tags_match_seqeval(seed, strict):
    predictions, labels, sizes = random_tags(seed)
    metric = "entity_f1_strict" if strict else "entity_f1"
    ours = entity_score(metric, predictions, labels, names=TAGS, sizes=sizes)
    options = {"mode": "strict", "scheme": IOB2} if strict else {}
    theirs = f1_score(as_sentences(labels, sizes), as_sentences(predictions, sizes), **options)
    assert 0 < ours == pytest.approx(theirs, abs=1e-12)


def test_no_entity_spans_two_sentences():
    tags = ["B-PER", "I-PER", "I-PER"]
    assert len(entities(tags, np.array([3]))) == 1
    assert len(entities(tags, np.array([2, 1]))) == 2
    assert len(entities(tags, np.array([2, 1]), strict=True)) == 1


def test_entities_without_a_beginning_are_counted():
    assert count_orphans(["I-PER", "I-PER", "I-LOC", "B-LOC", "I-LOC"], np.array([5])) == 2


def test_words_without_logits_are_outside():
    task = Task(name="t", kind="tokens", labels=TAGS, metric="entity_f1")
    labels, sizes = np.array([1, 2, 0]), np.array([3])
    logits = np.eye(5, dtype=np.float32)[labels]
    assert score_logits(task, logits, labels, sizes) == 1.0
    logits[1] = np.nan  # "B-PER O O" is another entity than "B-PER I-PER O"
    assert score_logits(task, logits, labels, sizes) == 0.0
    with pytest.raises(ValueError, match="needs the sizes"):
        score_logits(task, logits, labels)


def test_no_entities_score_zero():
    outside = np.zeros(3, int)
    assert entity_score("entity_f1", outside, outside, names=TAGS, sizes=np.array([3])) == 0.0


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="each of 4 words"):
        entity_score("entity_f1", np.zeros(3), np.zeros(3), names=TAGS, sizes=np.array([4]))
