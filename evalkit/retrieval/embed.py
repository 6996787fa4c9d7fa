"""Turn texts into vectors."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import ConfigError
from evalkit.models.loading import quiet_transformers

Vectors = NDArray[np.float32]
Progress = Callable[[int], None]

_WORD = re.compile(r"\w+")


class Embedder(Protocol):
    """Whatever turns texts into vectors of length 1, so that a dot product is a cosine."""

    @property
    def name(self) -> str:
        """What tells this embedder's vectors from another's."""
        ...

    @property
    def dimension(self) -> int:
        """The number of components of a vector."""
        ...

    def encode(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> Vectors:
        """Vectors of the texts, shape ``(len(texts), dimension)``, rows of length 1.

        Equal texts get equal vectors. ``query`` says that the texts ask rather than answer, which
        matters to models trained with a prefix; ``progress`` is called with the number of
        texts done since it was last called.
        """
        ...


@dataclass(frozen=True)
class HashEmbedder:
    """Hashed counts of words and of character n-grams: no weights, no randomness.

    Texts that share spellings are near each other, whatever they mean; good for tests and where
    no weights are at hand. A text without a letter or digit has the vector ``(1, 0, 0, ...)``.
    """

    dimension: int = 512
    ngram: int = 4

    @property
    def name(self) -> str:
        return f"hash-{self.dimension}-{self.ngram}"

    def encode(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> Vectors:
        """Vectors of the texts; see ``Embedder.encode``."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for feature, count in Counter(self._features(text)).items():
                digest = hashlib.blake2b(feature.encode("utf-8"), digest_size=8).digest()
                number = int.from_bytes(digest, "little")
                # The sign lets collisions cancel out instead of adding up (Weinberger 2009).
                sign = 1.0 if number >> 63 else -1.0
                vectors[row, number % self.dimension] += sign * (1.0 + np.log(count))
            if progress:
                progress(1)
        return _normalised(vectors)

    def _features(self, text: str) -> Iterable[str]:
        for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
            yield word
            marked = f"<{word}>"
            for start in range(len(marked) - self.ngram + 1):
                yield f"#{marked[start : start + self.ngram]}"


class TransformerEmbedder:
    """A Hugging Face encoder, pooled over its tokens and normalised.

    Loaded from a local folder with safetensors, at the first use. Each text is encoded once however
    often it occurs, and texts of like length share a batch, so that little is padding.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        pooling: Literal["mean", "cls"] = "mean",
        max_length: int = 256,
        batch_tokens: int | None = None,
        device: str = "auto",
        dtype: str = "float32",
        query_prefix: str = "",
        passage_prefix: str = "",
    ) -> None:
        """Describe the encoder; nothing is loaded yet.

        Args:
            path: The model's folder.
            name: What to call it in results; default the folder's name.
            pooling: The mean over a text's tokens, or its first token.
            max_length: Tokens of a text that are read; the rest is cut off.
            batch_tokens: The most tokens in a batch, padding included; None: 2,048 on a processor, whose
                cache what lies between the layers should not leave, 65,536 elsewhere.
            device: A torch device, or ``auto``: a GPU where there is one.
            dtype: The name of a torch dtype.
            query_prefix: Put before texts that ask.
            passage_prefix: Put before texts that answer.
        """
        if pooling not in ("mean", "cls"):
            raise ConfigError(f"pooling is {pooling!r}; expected 'mean' or 'cls'")
        self.path = Path(path)
        self.pooling = pooling
        self.max_length = max_length
        self.batch_tokens = batch_tokens
        self.device = device
        self.dtype = dtype
        self.query_prefix = query_prefix
        self.passage_prefix = passage_prefix
        self._label = name or self.path.name
        self._loaded: tuple[Any, Any] | None = None

    @property
    def name(self) -> str:
        prefixes = f"-{self.query_prefix}-{self.passage_prefix}" if self._prefixed else ""
        dtype = "" if self.dtype == "float32" else f"-{self.dtype}"
        return f"{self._label}-{self.pooling}-{self.max_length}{dtype}{prefixes}"

    @property
    def dimension(self) -> int:
        return int(self._load()[1].config.hidden_size)

    @property
    def _prefixed(self) -> bool:
        return bool(self.query_prefix or self.passage_prefix)

    def encode(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> Vectors:
        """Vectors of the texts; see ``Embedder.encode``."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        prefix = self.query_prefix if query else self.passage_prefix
        counts = Counter(texts)
        unique = list(counts)
        tokenizer, _ = self._load()
        ids: list[list[int]] = tokenizer(
            [prefix + text for text in unique], truncation=True, max_length=self.max_length
        )["input_ids"]
        found = np.empty((len(unique), self.dimension), dtype=np.float32)
        most = self.batch_tokens or (2048 if self._load()[1].device.type == "cpu" else 65_536)
        for batch in _batches([len(each) for each in ids], most):
            found[batch] = self._forward([ids[i] for i in batch])
            if progress:
                progress(sum(counts[unique[i]] for i in batch))
        place = {text: i for i, text in enumerate(unique)}
        return _normalised(found[[place[text] for text in texts]])

    def _forward(self, ids: list[list[int]]) -> Vectors:
        import torch

        tokenizer, model = self._load()
        width = max(len(each) for each in ids)
        padding = tokenizer.pad_token_id or 0
        tokens = torch.tensor([each + [padding] * (width - len(each)) for each in ids])
        mask = torch.tensor([[1] * len(each) + [0] * (width - len(each)) for each in ids])
        with torch.inference_mode():
            mask = mask.to(model.device)
            output = model(input_ids=tokens.to(model.device), attention_mask=mask)
            states = output.last_hidden_state.float()
            if self.pooling == "cls":
                pooled = states[:, 0]
            else:
                weights = mask.unsqueeze(-1).float()
                pooled = (states * weights).sum(1) / weights.sum(1)
        return np.asarray(pooled.cpu().numpy(), dtype=np.float32)

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            if not (self.path / "config.json").is_file():
                raise ConfigError(
                    f"{self.path} holds no model; expected a folder with config.json",
                    todo="give the folder of a Hugging Face encoder, or use HashEmbedder",
                )
            import torch
            from transformers import AutoModel, AutoTokenizer

            device = self.device
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            quiet_transformers()
            tokenizer = AutoTokenizer.from_pretrained(self.path, local_files_only=True)
            model = AutoModel.from_pretrained(
                self.path,
                local_files_only=True,
                use_safetensors=True,
                dtype=getattr(torch, self.dtype),
            )
            self._loaded = tokenizer, model.to(device).eval()
        return self._loaded


def _batches(lengths: Sequence[int], most_tokens: int) -> Iterable[list[int]]:
    """Positions in batches of like length, each of at most ``most_tokens`` with its padding."""
    batch: list[int] = []
    # The longest first: a batch that does not fit in memory fails at once, not at the end.
    for position in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > most_tokens:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def _normalised(vectors: Vectors) -> Vectors:
    vectors[~vectors.any(axis=1), 0] = 1.0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / lengths, dtype=np.float32)
