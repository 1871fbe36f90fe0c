"""What maskjax asks of a tokenizer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # slow to import
    import tokenizers


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer of the library tokenizers, and what its model takes.

    Attributes have the names that they have in transformers, so that its fast tokenizers can be
    given instead.

    Attributes:
        backend_tokenizer: The tokenizer in Rust.
        model_input_names: The inputs that the model takes, such as `token_type_ids`.
        truncation_side: The end at which a long text is cut, `right` or `left`.
        add_prefix_space: Whether a text is read as if a space stood before it, as far as
            transformers knows.

    Example:
        >>> from maskjax.tasks import load_tokenizer
        >>> tokenizer = load_tokenizer(base)
        >>> tokenizer.backend_tokenizer.encode("good film").tokens
        ['[CLS]', 'good', 'film', '[SEP]']
        >>> len(tokenizer), tokenizer.num_special_tokens_to_add(pair=True)
        (16, 3)
    """

    backend_tokenizer: "tokenizers.Tokenizer"
    model_input_names: list[str]
    truncation_side: str
    add_prefix_space: bool

    def __len__(self) -> int:
        """The number of tokens, added ones included."""
        return self.backend_tokenizer.get_vocab_size()

    def get_vocab(self) -> dict[str, int]:
        """The id of each token, added ones included."""
        return self.backend_tokenizer.get_vocab()

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """The number of special tokens of a text, or of a pair of texts."""
        return self.backend_tokenizer.num_special_tokens_to_add(pair)
