"""Scores of entities against the chunk rules of conlleval, tag by tag."""

import numpy as np
import pytest

from maskjax.inference import score_logits
from maskjax.tasks import Task, entity_score
from maskjax.tasks.ner_metrics import ENTITY_METRICS, count_orphans

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def random_tags(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tags of sentences in any order, some of them wrong, as class ids; and the sizes."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 9, size=30)
    labels = random.integers(len(TAGS), size=sizes.sum())
    noise = random.integers(len(TAGS), size=sizes.sum())
    return np.where(random.random(sizes.sum()) < 0.7, labels, noise), labels, sizes


def chunks(ids: np.ndarray, sizes: np.ndarray, strict: bool) -> set[tuple[int, int, str]]:
    """Entities by conlleval's two rules: which tag begins a chunk, and which one ends it."""
    sentence = np.repeat(np.arange(len(sizes)), sizes)
    entities, start = set(), None
    for place in range(len(ids) + 1):
        before = TAGS[ids[place - 1]] if place else "O"
        here = TAGS[ids[place]] if place < len(ids) else "O"
        if place and (place == len(ids) or sentence[place] != sentence[place - 1]):
            split = True
        else:
            split = before[2:] != here[2:]
        if start is not None and (here == "O" or here[0] == "B" or split):
            if not strict or TAGS[ids[start]][0] == "B":
                entities.add((start, place, TAGS[ids[start]][2:]))
            start = None
        if here != "O" and (here[0] == "B" or split or before == "O"):
            start = place
    return entities


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("strict", [False, True])
def test_random_tags_score_as_conlleval_does(seed, strict):
    predictions, labels, sizes = random_tags(seed)
    metric = "entity_f1_strict" if strict else "entity_f1"
    found, actual = (chunks(ids, sizes, strict) for ids in (predictions, labels))
    expected = 2 * len(found & actual) / (len(found) + len(actual))
    ours = entity_score(metric, predictions, labels, names=TAGS, sizes=sizes)
    assert 0 < ours == pytest.approx(expected, abs=1e-12)
    assert type(ours) is float


@pytest.mark.parametrize("metric", ENTITY_METRICS)
def test_no_entity_spans_two_sentences(metric):
    tags = np.array([1, 2, 2])
    together = {"names": TAGS, "sizes": np.array([3])}
    assert entity_score(metric, np.array([1, 2, 0]), tags, **together) == 0.0
    apart = {"names": TAGS, "sizes": np.array([2, 1])}
    expected = 1.0 if metric == "entity_f1_strict" else 2 / 3  # the I- alone is an entity or none
    assert entity_score(metric, np.array([1, 2, 0]), tags, **apart) == pytest.approx(expected)


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


@pytest.mark.parametrize("metric", ENTITY_METRICS)
def test_no_entities_score_zero(metric):
    outside = np.zeros(3, int)
    assert entity_score(metric, outside, outside, names=TAGS, sizes=np.array([3])) == 0.0


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="each of 4 words"):
        entity_score("entity_f1", np.zeros(3), np.zeros(3), names=TAGS, sizes=np.array([4]))
