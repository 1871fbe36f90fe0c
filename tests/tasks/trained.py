"""Tiny tokenizers of every family, trained here, and files of them as they are on the Hub."""

import json
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import transformers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordPieceTrainer

from maskjax.tasks import load_tokenizer

TROUBLE = [
    "",
    " ",
    "plain words, twice twice.",
    "  leading and   inner\tspaces \n and lines\r\n ",
    "Café CAFÉ cafe\u0301 naïve Ångström A\u030angstro\u0308m Zürich İstanbul ıI ẞß",
    "o\u0323\u0302 a\u0301\u0302\u0303\u0304 \u0301alone",
    "שלום עולם (סוגריים) مرحبا بالعالم \u200fmark\u200e \u202eabc\u202c",
    "family 👨‍👩‍👧‍👦 flag 🇨🇭 thumb 👍🏽 heart ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "bell\x07 null\x00 escape\x1b[1m delete\x7f next\x85line \ufffd",
    "no\u00a0break\u202fspace thin\u2009em\u2003ideographic\u3000end",
    "zero\u200bwidth joiner\u200dand non\u200cjoiner soft\u00adhyphen \ufeffmark word\u2060joiner",
    "中文字符 漢字かな交じり文 한국어 mixed中文words ㍿ ﷺ 你好,世界。",
    "ｆｕｌｌ　ｗｉｄｔｈ ﬁ ﬂ ① ² ½ Ⅷ ℌ K",
    "\U0010ffff \U000e0001 \ue000 \ufdd0 \U0001d518\U0001d52b",
    "देवनागरी ภาษาไทย አማርኛ ქართული",
    "x" * 300,
    "supercalifragilistic" * 20,
    "''quoted'' ``ticks'' “curly” don't we'll THEY'RE",
    "▁metaspace ▁ ▁▁ Ġbyte Ċ <0x0A> ##piece ##",
    "[CLS] [SEP][MASK] x[PAD]y <s> </s><mask> <unk> <pad>a <bos> <eos>",
    "a<mask>b [MASK]. <mask> <mask>",
    "http://a.b/c?d=e#f 1,234.5 -7e-3 a_b snake_case CamelCase $€¥ ~`^",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaa ababababababab",
]
"""Texts that tokenizers read in different ways."""


def corpus() -> list[str]:
    """Prose of the standard library, and the texts above."""
    prose = " ".join(t.__doc__ or "" for t in (textwrap, json, shutil, textwrap.TextWrapper, dict))
    return [*textwrap.wrap(prose, 80), *TROUBLE * 2, "aaaa abab " * 8]


def word_piece(*special: str, lowercase: bool = True) -> dict[str, int]:
    trained = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    _train(
        trained, WordPieceTrainer(vocab_size=700, special_tokens=list(special), show_progress=False)
    )
    return trained.get_vocab()


def byte_bpe(*special: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=700, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    _train(trained, trainer)
    return _bpe_parts(trained)


def byte_fallback_bpe(*special: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Gemma's kind: characters, and bytes where a character is unknown."""
    trained = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = BpeTrainer(
        vocab_size=700, special_tokens=pieces, limit_alphabet=60, show_progress=False
    )
    _train(trained, trainer)
    return _bpe_parts(trained)


def unigram(*special: str) -> list[tuple[str, float]]:
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=500, special_tokens=list(special), unk_token=special[0], show_progress=False
    )
    _train(trained, trainer)
    scores = dict(json.loads(trained.to_str())["model"]["vocab"])
    return [(token, 0.0) for token in special] + [
        (token, score) for token, score in scores.items() if token not in special
    ]


def _train(trained: Tokenizer, trainer) -> None:
    trained.train_from_iterator(corpus(), trainer)


def _bpe_parts(trained: Tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads(trained.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


BRACKETS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ANGLES = ("<s>", "<pad>", "</s>", "<unk>")
CAMEMBERT = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>", "<mask>")


def _generic(names: dict[str, str], rust: Tokenizer) -> transformers.PreTrainedTokenizerFast:
    inputs = ["input_ids", "attention_mask"]
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=rust, model_input_names=inputs, **names
    )


def _modernbert() -> transformers.PreTrainedTokenizerFast:
    vocabulary, merges = byte_bpe(*BRACKETS)
    rust = Tokenizer(models.BPE(vocabulary, merges))
    rust.normalizer = normalizers.NFC()
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    rust.post_processor = processors.TemplateProcessing(
        "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special
    )
    rust.add_special_tokens([AddedToken(t, normalized=False) for t in BRACKETS[:-1]])
    rust.add_special_tokens([AddedToken("[MASK]", lstrip=True, normalized=False)])
    rust.add_tokens([AddedToken("   ", normalized=True), AddedToken("|||IP|||", normalized=True)])
    names = {f"{t[1:-1].lower()}_token": t for t in BRACKETS}
    return _generic(names, rust)


def _eurobert() -> transformers.PreTrainedTokenizerFast:
    names = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
    names |= {"mask_token": "<|mask|>", "pad_token": "<|pad|>"}
    vocabulary, merges = byte_bpe(*names.values())
    rust = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=True))
    words = r"(?i:'s|'t|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"
    rust.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    begin, end = (f"<|{word}_of_text|>" for word in ("begin", "end"))
    rust.post_processor = processors.TemplateProcessing(
        f"{begin} $A {end}", None, [(token, vocabulary[token]) for token in (begin, end)]
    )
    rust.add_special_tokens([AddedToken(t, normalized=False) for t in names.values()])
    return _generic(names, rust)


def _gemma() -> transformers.PreTrainedTokenizerFast:
    special = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
    vocabulary, merges = byte_fallback_bpe(*special)
    tokenizer = transformers.GemmaTokenizer(vocab=vocabulary, merges=merges)
    ends = [(token, vocabulary[token]) for token in ("<bos>", "<eos>")]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        "<bos> $A <eos>", "<bos> $A <eos> <bos> $B:1 <eos>:1", ends
    )
    return tokenizer


MADE: dict[str, Callable[[], transformers.PreTrainedTokenizerFast]] = {
    "bert": lambda: transformers.BertTokenizer(vocab=word_piece(*BRACKETS)),
    "bert-cased": lambda: transformers.BertTokenizer(
        vocab=word_piece(*BRACKETS, lowercase=False), do_lower_case=False, strip_accents=True
    ),
    "bert-chinese": lambda: transformers.BertTokenizer(
        vocab=word_piece(*BRACKETS), tokenize_chinese_chars=False, strip_accents=False
    ),
    "distilbert": lambda: transformers.DistilBertTokenizer(vocab=word_piece(*BRACKETS)),
    "electra": lambda: transformers.ElectraTokenizer(vocab=word_piece(*BRACKETS)),
    "mpnet": lambda: transformers.MPNetTokenizer(
        vocab=word_piece("<s>", "<pad>", "</s>", "[UNK]", "<mask>")
    ),
    "roberta": lambda: transformers.RobertaTokenizer(
        **dict(zip(("vocab", "merges"), byte_bpe(*ANGLES, "<mask>"), strict=True)),
        mask_token=AddedToken("<mask>", lstrip=True, special=True, normalized=False),
    ),
    "xlm-roberta": lambda: transformers.XLMRobertaTokenizer(
        vocab=[*unigram(*ANGLES), ("<mask>", 0.0)],
        mask_token=AddedToken("<mask>", lstrip=True, special=True, normalized=False),
    ),
    "camembert": lambda: transformers.CamembertTokenizer(vocab=unigram(*CAMEMBERT)),
    "albert": lambda: transformers.AlbertTokenizer(
        vocab=unigram("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
    ),
    "deberta-v2": lambda: transformers.DebertaV2Tokenizer(
        vocab=[*unigram("[PAD]", "[CLS]", "[SEP]", "[UNK]"), ("[MASK]", 0.0)]
    ),
    "gemma3_text": _gemma,
    "modernbert": _modernbert,
    "eurobert": _eurobert,
}
"""A tokenizer of transformers for each family, and for some options."""


WORDS = [
    ["plain", "words", "", "and", "a b", " ", "é", "Ångström"],
    ["\u200d", "中文", "x" * 150, "don't", "[MASK]", "<mask>", "\x07", "👨‍👩‍👧"],
    ["▁", "Ġ", "a", "  a", "a  ", "\u00a0", "."],
]
"""Lists of words that tokenizers read in different ways."""
ENCODED = ("ids", "type_ids", "special_tokens_mask", "word_ids", "offsets", "tokens")


def write(folder: Path, name: str, *, old: bool = False) -> Path:
    """Saves a tokenizer as transformers does, now or before its version 5."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = MADE[name]()
    tokenizer.save_pretrained(folder)
    model_type = {"bert-cased": "bert", "bert-chinese": "bert"}.get(name, name)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    if old:
        _as_before(folder, type(tokenizer).__name__)
    return folder


def _as_before(folder: Path, name: str) -> None:
    values = json.loads((folder / "tokenizer.json").read_text())
    options = json.loads((folder / "tokenizer_config.json").read_text())
    del options["backend"]
    generic = {"TokenizersBackend": "PreTrainedTokenizer"}
    options |= {"tokenizer_class": generic.get(name, name) + "Fast", "model_max_length": 512}
    options |= {"clean_up_tokenization_spaces": True, "special_tokens_map_file": None}
    options["added_tokens_decoder"] = {str(t.pop("id")): t for t in values["added_tokens"]}
    names = {key: value for key, value in options.items() if key.endswith("_token")}
    tokens = {t["content"]: t for t in options["added_tokens_decoder"].values()}
    full = {key: {**tokens[value], "special": True} for key, value in names.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(options))
    (folder / "special_tokens_map.json").write_text(json.dumps(full))


def change(path: Path, **values) -> None:
    """Sets values of a JSON file; None removes one."""
    content = json.loads(path.read_text()) if path.exists() else {}
    content |= values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def assert_equal(folder: Path, load=load_tokenizer) -> None:
    """Compares a folder's tokenizer with that of transformers, for texts, pairs and words."""
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = load(folder)
    assert ours.model_input_names == theirs.model_input_names
    assert ours.truncation_side == theirs.truncation_side
    assert ours.get_vocab() == theirs.get_vocab()
    assert len(ours) == len(theirs)
    for pair in (False, True):
        count = theirs.num_special_tokens_to_add(pair=pair)
        assert ours.num_special_tokens_to_add(pair=pair) == count
    for first, second in zip(TROUBLE, [*TROUBLE[1:], "the end"], strict=True):
        _compare(ours, theirs, first)
        _compare(ours, theirs, first, second or "other")
    if theirs.add_prefix_space is False:
        theirs = transformers.AutoTokenizer.from_pretrained(folder, add_prefix_space=True)
    ours = load(folder, "tokens")
    for words in [*WORDS, *(text.split() or [""] for text in TROUBLE)]:
        _compare(ours, theirs, words)
        _compare(ours, theirs, words, ["and", "others"])


def _compare(ours, theirs, *texts) -> None:
    words = isinstance(texts[0], list)
    expected = theirs(*texts, is_split_into_words=words).encodings[0]
    ours.backend_tokenizer.no_truncation()  # that of the file
    got = ours.backend_tokenizer.encode(*texts, is_pretokenized=words)
    for field in ENCODED:
        assert getattr(got, field) == getattr(expected, field), (field, texts)
