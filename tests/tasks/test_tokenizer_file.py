"""tokenizer.json is read as AutoTokenizer reads it, or left to transformers."""

import json
import shutil

import numpy as np
import pytest
from tokenizers import AddedToken
from transformers import AutoTokenizer

from maskjax.tasks import Split, encode, load_tokenizer
from maskjax.tasks.tokenizer_file import read_tokenizer
from tests.tasks.test_real_data import DATA
from tests.tasks.trained import MADE, TROUBLE, assert_equal, change, write


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """The folder of each tokenizer, as transformers saves it."""
    folder = tmp_path_factory.mktemp("saved")
    return {name: write(folder / name, name) for name in MADE}


@pytest.fixture
def without_transformers(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("transformers was asked")

    monkeypatch.setattr("maskjax.tasks.tokenizer.convert_tokenizer", refuse)


@pytest.fixture
def copy(saved, tmp_path):
    return lambda name: shutil.copytree(saved[name], tmp_path / name)


@pytest.mark.usefixtures("without_transformers")
@pytest.mark.parametrize("name", MADE)
def test_saved_tokenizers_equal_those_of_transformers(saved, name):
    assert_equal(saved[name])


@pytest.mark.usefixtures("without_transformers")
@pytest.mark.parametrize("name", MADE)
def test_tokenizers_of_before_version_5_equal_those_of_transformers(tmp_path, name):
    assert_equal(write(tmp_path, name, old=True))


@pytest.mark.parametrize("name", MADE)
def test_state_equals_that_of_transformers(saved, name):
    """The scores of Unigram to the last bit, which the reader in Rust rounds."""
    theirs = AutoTokenizer.from_pretrained(saved[name])
    states = [
        json.loads(t.backend_tokenizer.to_str()) for t in (read_tokenizer(saved[name]), theirs)
    ]
    assert states[0] == states[1]


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("side", ["left", "right"])
def test_truncation_equals_that_of_transformers(copy, name, side):
    folder = copy(name)
    change(folder / "tokenizer_config.json", truncation_side=side)
    ours, theirs = load_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    texts = [text for text in TROUBLE if text.strip()]
    for columns in ([texts], [texts, texts[::-1]]):
        rows = list(zip(*columns, strict=True))
        got = encode(Split(rows, np.zeros(len(rows), np.int32)), ours, 9)
        expected = theirs(*columns, truncation="longest_first", max_length=9)
        assert [row.tolist() for row in got.input_ids] == expected["input_ids"]
        no_types = [[0] * len(row) for row in expected["input_ids"]]
        types = expected.get("token_type_ids", no_types)
        assert [row.tolist() for row in got.token_type_ids] == types
        assert got.truncated > 10


VARIANTS = [
    AddedToken("<left>", lstrip=True, normalized=False),
    AddedToken("<right>", rstrip=True, normalized=False),
    AddedToken("<both>", lstrip=True, rstrip=True, normalized=True),
    AddedToken("the", single_word=True, normalized=True),
    AddedToken("Foo Bar", single_word=True, lstrip=True, normalized=False),
    AddedToken("ÉCLAIR", normalized=True),
    AddedToken("<s p>", special=True, rstrip=True),
]
ADDED = [
    "x <left> <right> y<both>z <both>  the they athe THE the",
    "Foo Bar FooBar xFoo Bar Foo Bars  éclair ÉCLAIR <s p>  <S P>",
]


@pytest.mark.usefixtures("without_transformers")
@pytest.mark.parametrize("name", MADE)
def test_added_tokens_equal_those_of_transformers(saved, tmp_path, monkeypatch, name):
    tokenizer = AutoTokenizer.from_pretrained(saved[name])
    tokenizer.add_tokens(VARIANTS)
    tokenizer.save_pretrained(tmp_path)
    shutil.copy(saved[name] / "config.json", tmp_path)
    monkeypatch.setattr("tests.tasks.trained.TROUBLE", ADDED)
    assert_equal(tmp_path)
    assert len(load_tokenizer(tmp_path)) > len(load_tokenizer(saved[name]))


@pytest.mark.usefixtures("without_transformers")
@pytest.mark.parametrize("data", ["mrpc", "sst2", "ag_news", "ewt_pos", "wnut17"])
def test_real_rows_equal_those_of_transformers(saved, monkeypatch, data):
    if not (DATA / data).is_dir():
        pytest.skip(f"needs the data set in {DATA / data}")
    lines = next((DATA / data).glob("*t*.tsv")).read_text(encoding="utf8").splitlines()[1:400]
    columns = [line.split("\t") for line in lines if line]
    monkeypatch.setattr("tests.tasks.trained.TROUBLE", [row[-1] for row in columns[:40]])
    words = [row[0] for row in columns]
    monkeypatch.setattr("tests.tasks.trained.WORDS", [words[i : i + 12] for i in range(0, 120, 12)])
    for folder in saved.values():
        assert_equal(folder)


def tokenizer_json(folder, **values):
    change(folder / "tokenizer.json", **values)


def options(folder, **values):
    change(folder / "tokenizer_config.json", **values)


def added_without(folder, token):
    values = json.loads((folder / "tokenizer.json").read_text())
    kept = [t for t in values["added_tokens"] if t["content"] != token]
    tokenizer_json(folder, added_tokens=kept)


def model_with(folder, **values):
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    tokenizer_json(folder, model={**model, **values})


MARK = {"__type": "AddedToken", "content": "[MASK]", "special": True}
SUFFICE = {
    "no tokenizer_config.json": ("bert", lambda f: (f / "tokenizer_config.json").unlink()),
    "no class": ("xlm-roberta", lambda f: options(f, tokenizer_class=None)),
    "a generic class": ("bert", lambda f: options(f, tokenizer_class="PreTrainedTokenizerFast")),
    "any class of ModernBERT": ("modernbert", lambda f: options(f, tokenizer_class="Bert")),
    "a class of another family": ("bert", lambda f: options(f, tokenizer_class="ElectraTokenizer")),
    "inputs": ("bert", lambda f: options(f, model_input_names=["input_ids"])),
    "options without effect": ("bert", lambda f: options(f, add_bos_token=True, stride=3)),
    "truncation": ("bert", lambda f: tokenizer_json(f, truncation=TRUNCATION)),
    "a token of its own": ("bert", lambda f: options(f, image_token="[MASK]")),
    "a token with flags": ("bert", lambda f: options(f, mask_token=MARK)),
    "words with a space": ("xlm-roberta", lambda f: options(f, add_prefix_space=True)),
}
SWITCHES = ("add_prefix_space", "trim_offsets", "use_regex")
TRUNCATION = {"direction": "Left", "max_length": 7, "strategy": "LongestFirst", "stride": 0}
LOWERCASE, BYTES = {"type": "Lowercase"}, {"type": "ByteLevel", **dict.fromkeys(SWITCHES, True)}
DO_NOT = {
    "another case": ("bert", lambda f: options(f, do_lower_case=False)),
    "accents": ("bert", lambda f: options(f, strip_accents=False)),
    "another normalizer": ("bert", lambda f: tokenizer_json(f, normalizer=LOWERCASE)),
    "another pre-tokenizer": ("roberta", lambda f: tokenizer_json(f, pre_tokenizer=BYTES)),
    "no post-processor": ("modernbert", lambda f: tokenizer_json(f, post_processor=None)),
    "a prefix space": ("xlm-roberta", lambda f: options(f, add_prefix_space=False)),
    "a class that is not known": ("bert", lambda f: options(f, tokenizer_class="GPT2Tokenizer")),
    "a family that is not known": ("bert", lambda f: change(f / "config.json", model_type="gpt2")),
    "an option that is not known": ("bert", lambda f: options(f, from_slow=True)),
    "split special tokens": ("bert", lambda f: options(f, split_special_tokens=True)),
    "a special token not added": ("bert", lambda f: added_without(f, "[MASK]")),
    "a new special token": ("bert", lambda f: options(f, extra_special_tokens=["[NEW]"])),
    "a special token of the map": (
        "bert",
        lambda f: change(f / "special_tokens_map.json", mask_token="[M]"),
    ),
    "an added token of before": ("bert", lambda f: change(f / "added_tokens.json", more=700)),
    "a decoder with fewer": ("bert", lambda f: options(f, added_tokens_decoder={})),
    "long words": ("bert", lambda f: model_with(f, max_input_chars_per_word=20)),
    "another unknown token": ("xlm-roberta", lambda f: model_with(f, unk_id=0)),
}


@pytest.mark.usefixtures("without_transformers")
@pytest.mark.parametrize("case", SUFFICE)
def test_tokenizer_json_suffices_with(copy, case):
    name, edit = SUFFICE[case]
    folder = copy(name)
    edit(folder)
    assert_equal(folder)


@pytest.mark.parametrize("case", DO_NOT)
def test_tokenizer_json_does_not_suffice_with(copy, case):
    name, edit = DO_NOT[case]
    folder = copy(name)
    edit(folder)
    assert read_tokenizer(folder) is None
    assert_equal(folder)
