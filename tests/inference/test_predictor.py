"""One base and many tasks as a user calls them."""

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from maskjax.errors import InputError
from maskjax.export import export_hf
from maskjax.inference import (
    Predictor,
    UnknownTaskError,
    load_predictor,
    load_run,
    predict_rows,
    preprocess,
)
from maskjax.inference.postprocess import read_pooling
from maskjax.tasks import Split

NAMES = ("masks", "numbers", "words", "choices", "biases")
SMALL = {"buckets": (16,), "rows": (1, 4), "offline": True}


@pytest.fixture
def made(make_task):
    """A task of each kind, and two that read the same."""
    return {name: make_task("bert", name, 3) for name in NAMES}


@pytest.fixture
def predictor(made, base_of):
    return Predictor(str(base_of("bert")), [task.path for task in made.values()], **SMALL)


def name_of(task) -> str:
    return Path(task.path).stem


def test_class_answers_match_a_transformers_pipeline(predictor, made, random_rows, tmp_path):
    pytest.importorskip("torch", reason="needs PyTorch, the oracle of this test")
    import transformers

    task = made["masks"]
    export_hf(task.alone, tmp_path / "out")
    pipeline = transformers.pipeline("text-classification", str(tmp_path / "out"), device="cpu")
    texts = [row[0] for row in random_rows(task.alone, 6)]
    ours = predictor(texts, name_of(task), top_k=None)
    theirs = pipeline(texts, top_k=None, truncation=True, max_length=24)
    for answer, wanted in zip(ours, theirs, strict=True):
        assert [label["label"] for label in answer] == [label["label"] for label in wanted]
        scores = [[label["score"] for label in labels] for labels in (answer, wanted)]
        np.testing.assert_allclose(*scores, atol=1e-5)
    assert predictor(texts, name_of(task)) == [answer[:1] for answer in ours]


def test_word_answers_match_the_exported_model(predictor, made, random_rows, tmp_path):
    torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of this test")
    import transformers

    task = made["words"]
    export_hf(task.alone, tmp_path / "out")
    model = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    rows = random_rows(task.alone, 4)
    for row, answer in zip(rows, predictor(rows, name_of(task)), strict=True):
        options = {"is_split_into_words": True, "truncation": True, "max_length": 24}
        with torch.no_grad():
            logits = model(**tokenizer(list(row), return_tensors="pt", **options)).logits[0]
        wanted = logits.softmax(-1)[1:-1].max(-1)  # each word is one token
        assert [word["score"] for word in answer] == pytest.approx(wanted.values.tolist(), abs=1e-5)
        labels = [task.alone.task.labels[best] for best in wanted.indices]
        assert [word["entity"] for word in answer] == labels
        assert [word["word"] for word in answer] == list(row[: len(answer)])
        assert [word["index"] for word in answer] == list(range(len(answer)))


def test_answers_match_logits_for_numbers_and_choices(predictor, made, random_rows):
    numbers, choices = made["numbers"], made["choices"]
    for task in (numbers, choices):
        rows = random_rows(task.alone, 3)
        split = Split(rows, np.zeros(3, np.int32), task.alone.task.kind)
        logits = task.alone.logits(task.alone.encode(split))
        answers = predictor(rows, name_of(task), top_k=None)
        if task is numbers:
            assert [number["label"] for (number,) in answers] == ["LABEL_0"] * 3
            values = [number["score"] for (number,) in answers]
            np.testing.assert_allclose(values, logits[:, 0], atol=1e-5)
        else:
            for answer, probabilities in zip(answers, softmax(logits, axis=1), strict=True):
                scores = {choice["label"]: choice["score"] for choice in answer}
                wanted = dict(zip(("one", "two"), probabilities.tolist(), strict=True))
                assert scores == pytest.approx(wanted, abs=1e-5)
    ((vector,),) = [predictor(["a b c"], None)]
    assert len(vector) == 16
    assert all(isinstance(value, float) for value in vector)


@pytest.mark.parametrize("name", NAMES)
def test_logits_of_many_rows_match_the_saved_run(made, random_rows, monkeypatch, name):
    """Rows are longer than a run takes, and there are more than run at once."""
    monkeypatch.setattr("maskjax.inference.engine.CHUNK", 4)
    alone = made[name].alone
    rows = random_rows(alone, 10)
    units = sum(map(len, rows)) if name == "words" else len(rows)
    wanted = alone.logits(alone.encode(Split(rows, np.zeros(units, np.int32), alone.task.kind)))
    logits = load_predictor(made[name].path, rows=(1, 4)).logits(rows)
    assert np.isnan(wanted).any() == (name == "words")
    np.testing.assert_allclose(logits, wanted, atol=1e-5)
    labels = [unit["label"] for unit in predict_rows(alone.task, logits)]
    if name == "numbers":
        assert labels == [f"{value:.3f}" for (value,) in logits]
    else:
        names = alone.task.labels
        assert labels == ["O" if np.isnan(row).any() else names[row.argmax()] for row in wanted]


def test_no_rows_have_no_logits(predictor, made):
    assert predictor.logits([], name_of(made["masks"])).shape == (0, 3)


def test_words_may_be_spaces_but_not_empty(predictor, made):
    name = name_of(made["words"])
    logits = predictor.logits([("a", "\xa0", "b")], name)
    assert np.isnan(logits).all(axis=1).tolist() == [False, True, False]
    with pytest.raises(InputError, match="not empty, got ''"):
        predictor.logits([("a", "")], name)


def test_base_with_other_weights_is_accepted_where_that_is_asked_for(made, base_of, tmp_path):
    other = shutil.copytree(base_of("bert"), tmp_path / "other")
    leaves = load_file(other / "model.safetensors")
    save_file({name: 2 * leaf for name, leaf in leaves.items()}, other / "model.safetensors")
    with pytest.raises(InputError, match="another base"):
        load_predictor(made["masks"].path, base=str(other))
    options = {"base": str(other), "allow_base_mismatch": True}
    saved, predictor = (load(made["masks"].path, **options) for load in (load_run, load_predictor))
    split = Split([("a b c",)], np.zeros(1, np.int32))
    expected = saved.logits(saved.encode(split))
    np.testing.assert_allclose(predictor.logits(["a b c"]), expected, atol=1e-5)


def test_all_tasks_share_one_tokenization(predictor, made, monkeypatch):
    calls = []
    encode = preprocess.encode
    monkeypatch.setattr(preprocess, "encode", lambda *a: calls.append(a[0].texts) or encode(*a))
    answers_by_task = predictor.all(["a b c", "d e"])
    assert set(answers_by_task) == {name_of(made[name]) for name in ("masks", "biases", "words")}
    assert sorted(calls) == [[("a", "b", "c"), ("d", "e")], [("a b c",), ("d e",)]]
    for name, answers in answers_by_task.items():
        assert answers == predictor(["a b c", "d e"], name)
    assert set(predictor.all([("a b", "c")])) == {name_of(made["numbers"])}


def test_warm_predictor_compiles_nothing(made, base_of, make_task, random_rows, timed_events):
    """1,000 requests of any tasks and lengths while tasks are added, removed and replaced."""
    pool = [(name, make_task("bert", name, seed)) for name in NAMES for seed in range(4)]
    options = {**SMALL, "hot_bytes": 40_000, "device_bytes": 5000, "host_bytes": 5000}
    paths = [task.path for task in made.values()]
    predictor = Predictor(str(base_of("bert")), paths, **options)
    predictor.warm_up(base=True)
    rows = {name: [random_rows(task.alone, 20), 0] for name, task in made.items()}
    kinds = {name_of(task): name for name, task in [*pool, *((n, t) for n, t in made.items())]}
    timed_events.clear()
    random = np.random.default_rng(0)
    asked = 0
    while asked < 1000:
        if random.random() < 0.3:
            predictor.add(pool[random.integers(len(pool))][1].path)
        present = list(predictor.tasks)
        if len(present) > 8:
            predictor.remove(str(random.choice(present[5:])))
        chosen = random.choice(list(predictor.tasks), random.integers(1, 20)).tolist()
        texts = [rows[kinds[name]][0][random.integers(20)] for name in chosen]
        assert len(predictor(texts, tasks=chosen)) == len(texts)
        asked += len(texts)
    compilations = [event for event in timed_events if "compile" in event and "trace" not in event]
    assert compilations == []
    assert 0 < predictor.resident()["hot"] <= 40_000


def test_threads_get_their_own_answers(predictor, made, make_task, random_rows):
    jobs = []
    for name in ("masks", "words", "choices"):
        rows = random_rows(made[name].alone, 6)
        jobs.append((rows, name_of(made[name]), predictor(rows, name_of(made[name]))))
    extra, wrong = make_task("bert", "masks", 8), []

    def ask(number):
        for turn in range(10):
            rows, name, wanted = jobs[(number + turn) % 3]
            if predictor(rows, name) != wanted:
                wrong.append((number, turn))

    def change():
        for _ in range(10):
            predictor.remove(predictor.add(extra.path))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    threads.append(threading.Thread(target=change))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(predictor.tasks) == len(NAMES)


def test_tasks_can_be_added_replaced_and_removed(predictor, made, make_task, tmp_path):
    run = tmp_path / "some-run"
    run.mkdir()
    (run / "task.safetensors").write_bytes(Path(made["masks"].path).read_bytes())
    assert predictor.add(run) == predictor.add(run / "task.safetensors") == "some-run"
    other = make_task("bert", "masks", 9)
    prepared = predictor.prepare(["a b c d"], "some-run")
    assert predictor.add(other.path, "some-run") == "some-run"
    assert predictor.run(prepared) == predictor(["a b c d"], predictor.add(other.path))
    predictor.add(made["words"].path, "some-run")
    with pytest.raises(UnknownTaskError, match="prepare this row again"):
        predictor.run(prepared)
    predictor.remove("some-run")
    with pytest.raises(UnknownTaskError, match="'some-run' is not there"):
        predictor.run(prepared)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("masks", [("a", "b")], "expected a text, got 2 texts"),
        ("masks", [" "], "not empty, got ' '"),
        ("masks", [3], "not empty, got 3"),
        ("masks", ["a", "\ud83d"], "row 2: expected Unicode, got half of a surrogate pair"),
        ("words", [("a", "b\udcff")], "row 1: expected Unicode, got half of a surrogate pair"),
        ("numbers", ["a"], "expected a pair of texts, got 1"),
        ("choices", [("a", "b")], "expected a text and 2 texts to choose from, got 2"),
        ("words", [()], "expected at least one word"),
        (None, [("a", "b", "c")], "expected a text or a pair"),
    ],
)
def test_rows_that_do_not_fit_the_task_are_refused(predictor, made, name, rows, message):
    with pytest.raises(InputError, match=message):
        predictor(rows, name and name_of(made[name]))


def test_unknown_and_unfit_tasks_are_refused(predictor, made, make_task, base_of, tmp_path):
    with pytest.raises(InputError, match="one for each of 2 inputs, got 1"):
        predictor(["a", "b"], tasks=[None])
    with pytest.raises(InputError, match="there are 5 tasks"):
        predictor(["a"])
    with pytest.raises(UnknownTaskError, match="did you mean bert-masks-3"):
        predictor(["a"], "bert-mask-3")
    with pytest.raises(UnknownTaskError, match="not there"):
        predictor.remove("x")
    before, resident = dict(predictor.tasks), predictor.resident()
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(Path(made["masks"].path).read_bytes()[:-1])
    for place, message in [
        (make_task("roberta", "masks", 0).path, "does not fit the base|another base"),
        (damaged, "damaged"),
        (tmp_path / "missing.safetensors", "no such run folder"),
    ]:
        with pytest.raises(InputError, match=message):
            predictor.add(place)
    assert (dict(predictor.tasks), predictor.resident()) == (before, resident)
    assert Predictor(str(base_of("bert")), [made["masks"].path], **SMALL)(["a"])
    with pytest.raises(UnknownTaskError, match="there are no tasks"):
        Predictor(str(base_of("bert")), **SMALL)(["a"], "x")


@pytest.mark.parametrize("name", ["masks", "numbers", "words", "choices"])
def test_texts_are_cut_before_they_are_tokenized(predictor, made, monkeypatch, name):
    """Text beyond the longest sequence is not tokenized, and the tokens before it are the same."""
    task, seen = made[name], []
    encode = preprocess.encode
    monkeypatch.setattr(preprocess, "encode", lambda *a: seen.append(a[0].texts) or encode(*a))
    most = preprocess.CHARACTERS * task.alone.config.task.max_length
    count = {"masks": 1, "numbers": 2, "words": 1, "choices": 3}[name]
    short, long = ("a b c d e " * size for size in (most // 10, 100_000))
    with monkeypatch.context() as uncut:
        uncut.setattr(preprocess, "_cut", lambda texts, call: texts)
        wanted = predictor([(short,) * count if count > 1 else short], name_of(task))
    seen.clear()
    rows = [(long,) * count if count > 1 else long]
    assert predictor(rows, name_of(task)) == wanted
    (((texts),),) = seen
    assert sum(map(len, texts)) <= count * most
    seen.clear()
    middle = long[: 3 * most]
    load_predictor(task.path, cut_texts=False)([(middle,) * count if count > 1 else middle])
    assert sum(map(len, seen[0][0])) > count * most


def test_cut_word_is_returned_whole(predictor, made):
    word = "a" * 10_000
    (answer,) = predictor([(word, "b")], name_of(made["words"]))
    assert [label["word"] for label in answer] == [word]
    (answer,) = predictor([("b", word)], name_of(made["words"]))
    assert [label["word"] for label in answer] == ["b", word]


def test_leading_spaces_do_not_count_toward_the_length(predictor):
    assert predictor([" " * 100_000 + "a b"], None) == predictor(["a b"], None)


def test_vectors_match_means_over_tokens_in_pytorch(
    predictor, made, random_rows, tmp_path, base_of
):
    torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of this test")
    import transformers

    texts = [" ".join(row) for row in random_rows(made["words"].alone, 5)]
    for name in (None, "masks", "words"):
        folder = base_of("bert") if name is None else tmp_path / name
        if name is not None:
            export_hf(made[name].alone, folder)
        model = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        length = 34 if name is None else 24
        vectors = predictor.vectors(texts, None if name is None else name_of(made[name]))
        assert vectors.dtype == np.float32
        for text, vector in zip(texts, vectors, strict=True):
            options = {"truncation": True, "max_length": length, "return_tensors": "pt"}
            with torch.no_grad():
                states = model(**tokenizer(text, **options)).last_hidden_state[0]
            np.testing.assert_allclose(vector, states.mean(0), atol=1e-5)


def test_pooling_is_read_from_sentence_transformers(tmp_path):
    folder = tmp_path / "1_Pooling"
    folder.mkdir()
    assert read_pooling(tmp_path) == "mean"
    file = folder / "config.json"
    for mode, pooling in (("cls_token", "first"), ("mean_tokens", "mean")):
        modes = {f"pooling_mode_{name}": name == mode for name in ("cls_token", "mean_tokens")}
        file.write_text(json.dumps({"word_embedding_dimension": 16, **modes}))
        assert read_pooling(tmp_path) == pooling
    for text in ('{"pooling_mode_max_tokens": true}', "[]", "{", "\xff", "[" * 100_000):
        file.write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError, match=r"1_Pooling/config\.json: expected"):
            read_pooling(tmp_path)


def test_scores_can_be_sigmoid_or_raw_logits(predictor, made, random_rows):
    task = made["masks"]
    rows = [row[0] for row in random_rows(task.alone, 3)]
    split = Split([(row,) for row in rows], np.zeros(3, np.int32))
    logits = task.alone.logits(task.alone.encode(split))
    for function, scores in (("none", logits), ("sigmoid", 1 / (1 + np.exp(-logits)))):
        answers = predictor.run(predictor.prepare(rows, name_of(task), function=function), None)
        for answer, row_scores in zip(answers, scores, strict=True):
            wanted = dict(zip(task.alone.task.labels, row_scores.tolist(), strict=True))
            assert {label["label"]: label["score"] for label in answer} == pytest.approx(
                wanted, abs=1e-5
            )
            ranked = [label["score"] for label in answer]
            assert ranked == sorted(ranked, reverse=True)
    numbers = made["numbers"]
    row = random_rows(numbers.alone, 1)
    (((plain,),),) = [predictor(row, name_of(numbers))]
    prepared = predictor.prepare(row, name_of(numbers), function="sigmoid")
    (((sigmoid,),),) = [predictor.run(prepared)]
    assert sigmoid["score"] == pytest.approx(1 / (1 + np.exp(-plain["score"])))
