"""Distances between two tokens that have embeddings, as DeBERTa numbers them."""

from dataclasses import dataclass

import numpy as np

from maskjax.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Disentangled:
    """Attention to contents and to distances by embeddings of their own (arXiv 2006.03654).

    Attributes:
        content_to_position: Whether a query is multiplied by the embedding of its distance.
        position_to_content: Whether a key is.
        shares_projections: Whether the embeddings are projected by the matrices of queries and
            keys; else by further ones.
        has_norm: Whether the embeddings are normalized.
        longest: All distances from this one on are the same.
        buckets: Numbers of either direction if far distances are counted by their logarithm; 0 if
            each distance has its own number.
    """

    content_to_position: bool
    position_to_content: bool
    shares_projections: bool
    has_norm: bool
    longest: int
    buckets: int

    def __post_init__(self) -> None:
        """Refuses numbers that contradict each other."""
        if not self.terms:
            raise InputError("pos_att_type is empty; relative_attention needs c2p, p2c or both")
        if self.buckets and not 1 < self.buckets < 2 * (self.longest - 1):
            raise InputError(
                f"position_buckets {self.buckets} do not fit max_relative_positions "
                f"{self.longest}; expected 2 or more, and less than {2 * (self.longest - 1)}"
            )

    @property
    def terms(self) -> int:
        """How many products with embeddings are added to that of queries and keys."""
        return self.content_to_position + self.position_to_content

    @property
    def span(self) -> int:
        """How many embeddings each direction has."""
        return self.buckets or self.longest

    def number(self, distance: np.ndarray) -> np.ndarray:
        """The embedding of each distance, which is the query's place less that of the key."""
        number = self._buckets(distance) if self.buckets else distance
        return np.clip(number + self.span, 0, 2 * self.span - 1)

    def _buckets(self, distance: np.ndarray) -> np.ndarray:
        """Numbers half of the buckets exactly, in float32 as transformers does."""
        exact = self.buckets // 2
        size = np.maximum(np.abs(distance), exact).astype(np.float32)
        furthest = np.log(np.float32((self.longest - 1) / exact))
        far = np.ceil(np.log(size / np.float32(exact)) / furthest * np.float32(exact - 1)) + exact
        return np.where(np.abs(distance) <= exact, distance, np.sign(distance) * far).astype(int)
