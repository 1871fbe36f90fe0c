"""Long rows through every predictor, against each window run by itself."""

import copy
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.special import softmax
from transformers import AutoTokenizer

from benchmarks.mutants import open_payload, sign
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.inference import Predictor, cls_vectors, load_run, make_predict
from maskjax.taskfile import TASK_FILE, TaskHeader, read_task_header
from maskjax.tasks import Split

STRIDE = 6
KINDS = ("classification", "regression", "tokens")
SMALL = {"buckets": (16,), "rows": (1, 4), "offline": True}
LETTERS = list("abcdefghijklmnopqrst")


@pytest.fixture(scope="module")
def runs(base_of, task_of, write_run, tmp_path_factory):
    """Runs of the same numbers by kind, with and without windows."""
    folder, made = tmp_path_factory.mktemp("windows"), {}
    masked = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=(1, 2))
    for kind in (*KINDS, "choice"):
        for stride in (None, STRIDE):
            place = folder / f"{kind}-{'cut' if stride is None else 'windows'}"
            write_run(base_of("bert"), task_of(kind), masked, place, stride=stride)
            made[kind, stride] = place
    return made


@pytest.fixture(scope="module")
def predictor(runs, base_of):
    paths = [path for (kind, stride), path in runs.items() if (kind, stride) != ("choice", STRIDE)]
    return Predictor(str(base_of("bert")), paths, **SMALL)


def rows_of(kind: str, count: int = 12, longest: int = 90) -> list[tuple[str, ...]]:
    """Rows of which some fit into a window; of a pair the second text is the long one."""
    random = np.random.default_rng(count)
    words = [tuple(random.choice(LETTERS, random.integers(1, longest))) for _ in range(count)]
    if kind == "tokens":
        return words
    return [(*(["a b"] if kind == "regression" else []), " ".join(row)) for row in words]


def split_of(kind: str, rows: list[tuple[str, ...]]) -> Split:
    units = sum(map(len, rows)) if kind == "tokens" else len(rows)
    return Split(rows, np.zeros(units, np.int32), kind)


def by_hand(run, row: tuple[str, ...]) -> np.ndarray:
    """The outputs of transformers' windows of a row, one after the other without padding."""
    tokenizer = AutoTokenizer.from_pretrained(run.base.folder)
    options = {"truncation": "longest_first", "return_overflowing_tokens": True}
    texts = (list(row),) if run.task.kind == "tokens" else row
    words = run.task.kind == "tokens"
    options |= {"max_length": 24, "stride": STRIDE, "is_split_into_words": words}
    outputs, best = [], [(-1, None)] * len(row)
    encodings = tokenizer(*texts, **options).encodings
    for number, encoding in enumerate(encodings):
        ids, types = (np.array([some], np.int32) for some in (encoding.ids, encoding.type_ids))
        inputs = {"input_ids": ids, "token_type_ids": types, "attention_mask": np.ones_like(ids)}
        outputs.append(np.asarray(jax.jit(run.model.apply)(run.params, inputs))[0])
        for place, word in enumerate(encoding.word_ids if words else ()):
            if word is not None:  # each word is one token
                margin = min(place - 1, len(encoding.ids) - 2 - place)
                best[word] = max(best[word], (margin, (-number, place)))
    if words:
        return np.stack([outputs[-window][place] for _, (window, place) in best])
    return np.stack(outputs).mean(axis=0)[None]


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_windows(runs, kind):
    run, rows = load_run(runs[kind, STRIDE]), rows_of(kind)
    encoded = run.encode(split_of(kind, rows))
    assert encoded.windows > len(rows)
    wanted = np.concatenate([by_hand(run, row) for row in rows])
    np.testing.assert_allclose(run.logits(encoded), wanted, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_fit_have_the_logits_of_a_run_without_windows(runs, kind):
    rows = split_of(kind, rows_of(kind, longest=12))
    cut, windowed = (load_run(runs[kind, stride]) for stride in (None, STRIDE))
    np.testing.assert_array_equal(
        cut.logits(cut.encode(rows)), windowed.logits(windowed.encode(rows))
    )


def test_padding_and_order_do_not_matter(runs):
    run, rows = load_run(runs["classification", STRIDE]), rows_of("classification")
    logits = run.logits(run.encode(split_of("classification", rows)))
    turned = run.logits(run.encode(split_of("classification", rows[::-1])))[::-1]
    np.testing.assert_allclose(turned, logits, atol=1e-6)
    train = run.config.train
    for batch_size, buckets in ((1, (24,)), (5, (8, 30))):
        config = run.config.__class__(train=type(train)(batch_size=batch_size, buckets=buckets))
        other = run._replace(config=config)
        encoded = run.encode(split_of("classification", rows))
        np.testing.assert_allclose(other.run(make_predict(run.model), encoded), logits, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_predictor_answers_as_the_run_alone(runs, predictor, kind):
    run, rows = load_run(runs[kind, STRIDE]), rows_of(kind)
    logits = run.logits(run.encode(split_of(kind, rows)))
    answers = predictor(rows, f"{kind}-windows", top_k=None)
    if kind == "regression":
        scores = [[number["score"]] for (number,) in answers]
        np.testing.assert_allclose(scores, logits, atol=1e-5)
        return
    if kind == "tokens":
        words = [word for answer in answers for word in answer]
        assert [word["word"] for word in words] == [word for row in rows for word in row]
        scores = [word["score"] for word in words]
        np.testing.assert_allclose(scores, softmax(logits, axis=1).max(axis=1), atol=1e-5)
        return
    for answer, wanted in zip(answers, softmax(logits, axis=1), strict=True):
        scores = {label["label"]: label["score"] for label in answer}
        assert [scores[name] for name in run.task.labels] == pytest.approx(wanted, abs=1e-5)
    assert not any("truncated" in label for answer in answers for label in answer)


def test_mixed_batches_match_each_task_alone(runs, predictor):
    asked = [
        (row, f"{kind}-{how}")
        for kind in KINDS
        for how in ("cut", "windows")
        for row in rows_of(kind, 4)
    ]
    asked = [asked[n] for n in np.random.default_rng(0).permutation(len(asked))]
    rows, tasks = zip(*asked, strict=True)
    together = predictor(list(rows), tasks=list(tasks))
    for (row, task), answer in zip(asked, together, strict=True):
        (alone,) = predictor([row], task)
        assert len(answer) == len(alone)
        for ours, theirs in zip(answer, alone, strict=True):
            assert ours == {**theirs, "score": pytest.approx(theirs["score"], abs=1e-5)}


def test_vectors_of_a_long_text_are_the_mean_of_its_windows(runs, predictor):
    run, rows = load_run(runs["classification", STRIDE]), rows_of("classification", 5)
    texts = [text for (text,) in rows]
    encoded = run.encode(split_of("classification", rows))
    vectors = predictor.vectors(texts, "classification-windows")
    ends = np.cumsum(encoded.window_counts)
    found = []
    for ids in encoded.input_ids:
        inputs = {"input_ids": ids[None], "token_type_ids": 0 * ids[None]}
        inputs["attention_mask"] = np.ones_like(inputs["input_ids"])
        found.append(np.asarray(jax.jit(run.model.hidden_states)(run.params, inputs)[-1])[0])
    for row, windows in enumerate(np.split(np.arange(encoded.windows), ends[:-1])):
        pooled = np.mean([found[n].mean(axis=0) for n in windows], axis=0)
        np.testing.assert_allclose(vectors[row], pooled, atol=1e-5)
        first = np.mean([found[n][0] for n in windows], axis=0)
        np.testing.assert_allclose(cls_vectors(run, encoded)[row], first, atol=1e-5)


def test_every_cut_is_told(runs, predictor, caplog):
    long, short = " ".join(LETTERS * 2), "a b c"
    cut, fits = predictor([long, short], "classification-cut", top_k=None)
    assert [label["truncated"] for label in cut] == [True] * 3
    assert not any("truncated" in label for label in fits)
    message = (
        "task 'classification-cut': 1 of 2 texts are longer than 24 tokens and are cut; to read "
        "all of them, train with --task.max-length up to 34 or --task.stride 6"
    )
    assert [record.getMessage() for record in caplog.records] == [message]
    (words,) = predictor([long], "tokens-cut")
    assert all(word["truncated"] for word in words)
    (choice,) = predictor([(long, "a", "b")], "choice-cut")
    assert choice[0]["truncated"]
    assert "train with --task.max-length up to 34" in caplog.messages[-1]
    assert "stride" not in caplog.messages[-1]
    caplog.clear()
    predictor.vectors([long, short], None)
    assert caplog.messages == [
        "the base: 1 of 2 texts are longer than 34 tokens and are cut; shorten them"
    ]
    caplog.clear()
    predictor.vectors([long, short], "classification-cut")
    predictor.all([long])
    load_run(runs["classification", None]).encode(split_of("classification", [(long,), (short,)]))
    assert sum("of 2 texts are longer than 24 tokens" in line for line in caplog.messages) == 2
    caplog.clear()
    for name in ("classification-windows", "tokens-windows"):
        assert not any("truncated" in some for some in predictor([long, short], name)[0])
    load_run(runs["classification", STRIDE]).encode(split_of("classification", [(long,)]))
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [
        ("x" * 2000, True),  # one unknown token, of which only a part is read
        (" " * 2000 + "a", False),
        ("a" + " " * 2000, False),
    ],
)
def test_characters_that_are_not_read_are_a_cut(predictor, text, is_cut):
    for task, row in (("classification-cut", text), ("tokens-cut", (text.strip() or text, "a"))):
        (prepared,) = predictor.prepare([row], task)
        assert prepared.truncated == is_cut
    for task in ("classification-windows", "tokens-windows"):
        (prepared,) = predictor.prepare([text], task)
        assert not prepared.truncated


def test_a_file_with_windows_says_that_it_needs_them(runs):
    header: TaskHeader = read_task_header(Path(runs["tokens", STRIDE]) / TASK_FILE)
    assert header.meta["needs"] == ["stride"]
    assert "needs" not in read_task_header(Path(runs["tokens", None]) / TASK_FILE).meta


def test_files_whose_windows_cannot_be_read_are_refused(runs, predictor, tmp_path):
    with pytest.raises(InputError, match="none for choice, got 6 for choice"):
        predictor.add(runs["choice", STRIDE])
    opened = open_payload((runs["tokens", STRIDE] / TASK_FILE).read_bytes())
    opened = opened._replace(header=copy.deepcopy(opened.header))
    opened.header["tokenizer"]["max_length"] = 8
    (tmp_path / "wrong.safetensors").write_bytes(sign(opened))
    with pytest.raises(InputError, match=r"a stride of at most 4 tokens, .* got 6 for tokens"):
        predictor.add(tmp_path / "wrong.safetensors")
