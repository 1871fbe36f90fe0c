"""The parts that classes of transformers build themselves, whatever tokenizer.json says.

transformers 5 takes only the vocabulary, the added tokens and sometimes the post-processor from
tokenizer.json; where the class of the tokenizer is not generic, everything else is built again.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tokenizers import Regex, normalizers, pre_tokenizers, processors

GENERIC = "TokenizersBackend"
"""The class that takes tokenizer.json as it is."""


class Source(NamedTuple):
    """What a class builds its parts from."""

    options: Mapping[str, Any]  # of tokenizer_config.json
    names: Mapping[str, str]  # special tokens, such as "cls_token": "[CLS]"
    ids: Mapping[str, int]  # of added tokens
    values: Mapping[str, Any]  # tokenizer.json

    def named(self, name: str) -> tuple[str, int]:
        """A special token with its id."""
        token = self.names[name]
        return token, self.ids[token]


class Parts(NamedTuple):
    """What a class builds."""

    model: Mapping[str, Any]  # its settings
    normalizer: Any
    pre_tokenizer: Any
    post_processor: Any = None  # None for that of tokenizer.json


class Layout(NamedTuple):
    """A class of transformers."""

    build: Callable[[Source], Parts] | None  # None if it takes tokenizer.json as it is
    model: str | None
    inputs: tuple[str, ...]
    names: Mapping[str, str]  # special tokens unless tokenizer_config.json has others
    extra: tuple[str, ...] = ()  # more of them, unless it has others
    add_prefix_space: bool = False


def _bert(source: Source) -> Parts:
    return Parts(_word_piece(source), *_bert_text(source), _typed_template(source))


def _mpnet(source: Source) -> Parts:
    sep, cls = source.named("sep_token"), source.named("cls_token")
    processor = processors.RobertaProcessing(sep, cls, True, False)
    return Parts(_word_piece(source), *_bert_text(source), processor)


def _word_piece(source: Source) -> dict[str, Any]:
    settings = {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    return {"unk_token": source.names["unk_token"], **settings}


def _bert_text(source: Source) -> tuple[Any, Any]:
    options = source.options
    normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=options.get("tokenize_chinese_chars", True),
        strip_accents=options.get("strip_accents"),
        lowercase=options.get("do_lower_case", True),
    )
    return normalizer, pre_tokenizers.BertPreTokenizer()


def _typed_template(source: Source) -> Any:
    """BERT's template: the second text and its end have the type 1."""
    (cls, _), (sep, _) = special = [source.named("cls_token"), source.named("sep_token")]
    single = f"{cls}:0 $A:0 {sep}:0"
    pair = f"{single} $B:1 {sep}:1"
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)


def _untyped_template(source: Source) -> Any:
    """RoBERTa's template, spelled with the tokens of a sentence's begin and end."""
    (bos, _), (eos, _) = special = [source.named("bos_token"), source.named("eos_token")]
    single, pair = [bos, "$A", eos], [bos, "$A", eos, eos, "$B", eos]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)


def _roberta(source: Source) -> Parts:
    space = source.options.get("add_prefix_space", False)
    trim = source.options.get("trim_offsets", True)
    sep, cls = source.named("sep_token"), source.named("cls_token")
    return Parts(
        {"unk_token": None, "fuse_unk": False, "byte_fallback": False},
        None,
        pre_tokenizers.ByteLevel(add_prefix_space=space),
        processors.RobertaProcessing(sep, cls, trim, space),
    )


def _xlm_roberta(source: Source) -> Parts:
    return Parts({"unk_id": 3}, _charsmap(source), _spaced(source), _untyped_template(source))


def _camembert(source: Source) -> Parts:
    unknown = _unigram_index(source, lambda token, _: token == source.names["unk_token"])
    model = {"unk_id": 0 if unknown is None else unknown}
    return Parts(model, _charsmap(source), _spaced(source), _untyped_template(source))


def _albert(source: Source) -> Parts:
    options = source.options
    steps: list[Any] = [normalizers.Replace(quote, '"') for quote in ("``", "''")]
    if not options.get("keep_accents", False):
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if options.get("do_lower_case", True):
        steps.append(normalizers.Lowercase())
    if charsmap := _charsmap(source):
        steps.append(charsmap)
    return Parts({"unk_id": 1}, normalizers.Sequence(steps), _spaced(source))


def _deberta_v2(source: Source) -> Parts:
    options = source.options
    unknown = _unigram_index(
        source, lambda token, score: (token, score) == (source.names["unk_token"], 0.0)
    )
    lowercase = [normalizers.Lowercase()] if options.get("do_lower_case", False) else []
    spaces = normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " ")
    steps = [*lowercase, spaces, normalizers.NFC(), normalizers.Strip(left=False, right=True)]
    punctuation = [pre_tokenizers.Punctuation(behavior="isolated")]
    scheme = "always" if options.get("add_prefix_space", True) else "first"
    splits = punctuation if options.get("split_by_punct", False) else []
    return Parts(
        {"unk_id": options.get("unk_id", 1) if unknown is None else unknown},
        normalizers.Sequence(steps),
        pre_tokenizers.Sequence([*splits, _metaspace(scheme)]),
        _typed_template(source),
    )


def _gemma(source: Source) -> Parts:
    model = {"unk_token": source.names["unk_token"], "fuse_unk": True, "byte_fallback": True}
    splitter = pre_tokenizers.Split(pattern=" ", behavior="merged_with_previous", invert=False)
    return Parts(model, normalizers.Replace(" ", "▁"), splitter)


def _spaced(source: Source) -> Any:
    space = source.options.get("add_prefix_space", True)
    steps = [pre_tokenizers.WhitespaceSplit(), _metaspace("always" if space else "never")]
    return pre_tokenizers.Sequence(steps)


def _metaspace(scheme: str) -> Any:
    return pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)


def _charsmap(source: Source) -> Any:
    """The first table of characters of SentencePiece in tokenizer.json, or None."""
    normalizer = source.values.get("normalizer") or {}
    for step in normalizer.get("normalizers", [normalizer]):
        if step.get("type") == "Precompiled":
            return normalizers.Precompiled(base64.b64decode(step["precompiled_charsmap"]))
    return None


def _unigram_index(source: Source, fits: Callable[[str, float], bool]) -> int | None:
    vocabulary = source.values["model"]["vocab"]
    return next((i for i, (token, score) in enumerate(vocabulary) if fits(token, score)), None)


_BRACKETS = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
_ANGLES = {
    **{"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>"},
    **{"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"},
}
_SENTENCE = {"bos_token": "[CLS]", "eos_token": "[SEP]"}
_ALBERT = {**_BRACKETS, **_SENTENCE, "unk_token": "<unk>", "pad_token": "<pad>"}
_GEMMA = {f"{name}_token": f"<{name}>" for name in ("unk", "bos", "eos", "pad", "mask")}
_NOT_USED = ("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED")
_TYPED = ("input_ids", "token_type_ids", "attention_mask")
_DEBERTA = ("input_ids", "attention_mask", "token_type_ids")
_UNTYPED = ("input_ids", "attention_mask")

LAYOUTS = {
    GENERIC: Layout(None, None, _UNTYPED, {}),
    "BertTokenizer": Layout(_bert, "WordPiece", _TYPED, _BRACKETS),
    "DistilBertTokenizer": Layout(_bert, "WordPiece", _UNTYPED, _BRACKETS),
    "MPNetTokenizer": Layout(_mpnet, "WordPiece", _UNTYPED, {**_ANGLES, "unk_token": "[UNK]"}),
    "RobertaTokenizer": Layout(_roberta, "BPE", _UNTYPED, _ANGLES),
    "XLMRobertaTokenizer": Layout(
        _xlm_roberta, "Unigram", _UNTYPED, _ANGLES, add_prefix_space=True
    ),
    "CamembertTokenizer": Layout(
        _camembert, "Unigram", _UNTYPED, _ANGLES, _NOT_USED, add_prefix_space=True
    ),
    "AlbertTokenizer": Layout(_albert, "Unigram", _UNTYPED, _ALBERT, add_prefix_space=True),
    "DebertaV2Tokenizer": Layout(
        _deberta_v2, "Unigram", _DEBERTA, {**_BRACKETS, **_SENTENCE}, add_prefix_space=True
    ),
    "GemmaTokenizer": Layout(_gemma, "BPE", _UNTYPED, _GEMMA),
}
"""The classes whose parts are known."""
REGISTERED = {
    **{"bert": "BertTokenizer", "distilbert": "BertTokenizer", "electra": "BertTokenizer"},
    **{"mpnet": "MPNetTokenizer", "roberta": "RobertaTokenizer"},
    **{"xlm-roberta": "XLMRobertaTokenizer", "camembert": "CamembertTokenizer"},
    **{"albert": "AlbertTokenizer", "deberta-v2": "DebertaV2Tokenizer"},
    **{"gemma3_text": "GemmaTokenizer", "eurobert": GENERIC, "modernbert": GENERIC},
}
"""The class of each `model_type` whose files name none."""
