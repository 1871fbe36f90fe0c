"""The client of Hugging Face, with every call that docs/serving.md lists."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from maskjax.serving.replies import shape_words


@pytest.fixture
def address(serving, predictor, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # loopback is no network
    return serving(predictor, token="secret", hosts=[])


@pytest.fixture
def client(address):
    return InferenceClient(token="secret")


def test_text_classification_matches_the_predictor(client, address, predictor):
    model = f"{address}/models/mood"
    best, _ = client.text_classification("a", model=model, top_k=2)
    assert (best.label, best.score) == ("a", predictor.answer("mood", "a")[0]["score"])
    assert len(client.text_classification("a", model=model)) == 3
    scores = {}
    for function in ("softmax", "sigmoid", "none"):
        best, *_ = client.text_classification("a", model=model, function_to_apply=function)
        scores[function] = best.score
        row = predictor.batches[-1][0]
        assert (row.texts, row.function) == (("a",), function)
        assert best.score == predictor.answer_row(row)[0]["score"]
    assert len(set(scores.values())) == 3
    (number,) = client.text_classification("a", model=f"{address}/models/stars")
    assert number.score == predictor.answer("stars", "a")[0]["score"]


def test_token_classification_matches_words_and_groups(client, address, predictor):
    model, text = f"{address}/models/tags", "  in New\tYork"
    words = client.token_classification(text, model=model)
    assert [(word.word, word.entity) for word in words] == [
        ("in", "B"),
        ("New", "B"),
        ("York", "B"),
    ]
    assert [text[word.start : word.end] for word in words] == ["in", "New", "York"]
    for strategy in ("simple", "first", "average", "max"):
        (group,) = client.token_classification(text, model=model, aggregation_strategy=strategy)
        assert (group.entity_group, group.word) == ("B", "in New\tYork")
        assert text[group.start : group.end] == group.word
        assert group.score == pytest.approx(np.mean([word.score for word in words]))
    assert client.token_classification(text, model=model, ignore_labels=["B"]) == []


def test_feature_extraction_matches_the_vectors(client, address, predictor):
    where = "pipeline/feature-extraction"
    for task, model in ((None, f"{address}/{where}"), ("mood", f"{address}/models/mood/{where}")):
        reply = client.feature_extraction(["a", "b"], model=model, normalize=False, truncate=True)
        assert reply.dtype == np.float32
        vectors = [predictor.vector(task, text) for text in "ab"]
        np.testing.assert_allclose(reply, vectors, rtol=1e-6)
        np.testing.assert_allclose(
            client.feature_extraction("a", model=model), [[0.6, 0.8, 0.0]], rtol=1e-6
        )
    with pytest.raises(HfHubHTTPError, match="422"):
        client.feature_extraction("a", model=model, prompt_name="query")
    with pytest.raises(HfHubHTTPError, match="404"):
        client.feature_extraction("a", model=f"{address}/models/none/{where}")


def test_asynchronous_client_gets_the_same_answers(address, predictor):
    async def ask():
        async with AsyncInferenceClient(token="secret") as client:
            best, *_ = await client.text_classification("a", model=f"{address}/models/mood")
            model = f"{address}/pipeline/feature-extraction"
            return best.score, await client.feature_extraction("a", model=model)

    score, vector = asyncio.run(ask())
    assert score == predictor.answer("mood", "a")[0]["score"]
    assert vector.shape == (1, 3)


@pytest.mark.parametrize("seed", range(20))
def test_groups_match_the_pipeline_of_transformers(seed):
    pytest.importorskip("torch", reason="transformers' pipelines need PyTorch")
    from transformers import TokenClassificationPipeline as Pipeline

    random = np.random.default_rng(seed)
    words = [str(random.choice(["New", "York", "is", "big,", "ünd"])) for _ in range(12)]
    labels = random.choice(["O", "B-A", "I-A", "B-B", "I-B", "A", "B-", "I-O"], 12)
    text = "".join(word + " " * int(random.integers(1, 4)) for word in words)
    answer = [
        {"entity": str(label), "score": float(random.random()), "word": word, "index": index}
        for index, (label, word) in enumerate(zip(labels, words, strict=True))
    ]
    stub = SimpleNamespace(tokenizer=SimpleNamespace(convert_tokens_to_string=" ".join))
    stub.get_tag = lambda name: Pipeline.get_tag(stub, name)
    stub.group_sub_entities = lambda entities: Pipeline.group_sub_entities(stub, entities)
    placed = shape_words(answer, text, aggregated=False, ignored=None)
    wanted = Pipeline.group_entities(stub, placed)
    entities = shape_words(answer, text, aggregated=True, ignored=["O"])
    names = ("entity_group", "start", "end")
    wanted = [entity for entity in wanted if entity["entity_group"] != "O"]
    assert [[entity[name] for name in names] for entity in entities] == [
        [entity[name] for name in names] for entity in wanted
    ]
    assert [entity["score"] for entity in entities] == pytest.approx(
        [entity["score"] for entity in wanted]
    )
    assert [" ".join(entity["word"].split()) for entity in entities] == [
        entity["word"] for entity in wanted
    ]


def test_clients_read_answers_to_truncated_texts(client, address):
    long = "word " * 50
    best, *_ = client.text_classification(long, model=f"{address}/models/mood")
    assert best.label == "a"
    assert best["truncated"] is True
    for strategy in ("none", "simple"):
        model = f"{address}/models/tags"
        words = client.token_classification(long, model=model, aggregation_strategy=strategy)
        assert all(word["truncated"] for word in words)
