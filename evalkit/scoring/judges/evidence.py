"""What a small language model betrays about support when it reads an answer after its source.

The default generator reads the statements twice, after the source and without it. A word that the
source makes less likely is not from the source, and a head that looks away from the source while
the answer goes on is a sign of invention (after Chuang et al. 2024, "Lookback Lens"; the comparison
with and without source is a pointwise mutual information). Nothing is generated.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evalkit.chat import render_chat
from evalkit.scoring.judges.wording import STOP

Floats = NDArray[np.float64]

NAMES = ("share_less", "gain", "likelihood", "unlikely", "familiar", "rank", "count_less")
"""The features of one statement, all over its content words: the share that the source makes less
likely; the mean gain in log-likelihood by the source; mean log-likelihood with the source; the
share below `UNLIKELY`; mean log-likelihood without a source; mean log rank; how many are less
likely."""
UNLIKELY = -6.0
"""Natural log of a probability of about 1 in 400."""
LONGEST = 4096
"""Tokens of source and answer together that are read; what is longer gets no evidence."""
QUESTION = "What does this text say?"

_WORD = re.compile(r"[^\W_]+(?:['’.,:-][^\W_]+)*")


@dataclass(frozen=True)
class TokenEvidence:
    """What the model says about each of the answer's ``n`` tokens.

    ``spans`` are character offsets in the answer, shape ``(n, 2)``; ``given`` and ``alone`` are
    natural log-likelihoods after the source and without it; ``ranks`` are places among all tokens
    after the source, 0 for the likeliest; ``attention`` is the share of each head's attention that
    goes to the source, shape ``(n, layers * heads)``.
    """

    spans: NDArray[np.int64]
    given: Floats
    alone: Floats
    ranks: Floats
    attention: Floats


class Evidence(Protocol):
    """Anything that reads an answer after its source. ``identity`` names its weights."""

    @property
    def identity(self) -> str: ...

    def read(self, source: str, answer: str) -> TokenEvidence | None:
        """The evidence, or None where source and answer are too long to be read together."""


def joined(statements: Sequence[str]) -> str:
    """The answer that the model reads: the statements with a blank between."""
    return " ".join(statements)


def summarise(statements: Sequence[str], found: TokenEvidence) -> tuple[Floats, Floats]:
    """`NAMES` of each statement, shape ``(statements, 7)``, and its mean attention, by head."""
    text = joined(statements)
    words = [(m.start(), m[0].casefold() not in STOP) for m in _WORD.finditer(text)]
    starts = [start for start, _ in words]
    owner = [_owner(text, span, starts) for span in found.spans]
    given, alone, ranks = (np.zeros(len(words)) for _ in range(3))
    for token, word in enumerate(owner):
        if word >= 0:
            given[word] += found.given[token]
            alone[word] += found.alone[token]
            ranks[word] = max(ranks[word], found.ranks[token])
    rows, heads, begin = [], [], 0
    for statement in statements:
        end = begin + len(statement)
        inside = [i for i, (start, _) in enumerate(words) if begin <= start < end]
        chosen = [i for i in inside if words[i][1]] or inside
        rows.append(_numbers(given[chosen], alone[chosen], ranks[chosen]))
        own = [t for t, (start, _) in enumerate(found.spans) if begin <= start < end] or [0]
        heads.append(found.attention[own].mean(0))
        begin = end + 1
    return np.array(rows), np.array(heads)


def _owner(text: str, span: Sequence[int], starts: Sequence[int]) -> int:
    """The word that a token belongs to, or -1; tokens may begin with the blank before their word."""
    start, end = int(span[0]), int(span[1])
    while start < end and text[start].isspace():
        start += 1
    place = bisect_right(starts, start) - 1
    match = _WORD.match(text, starts[place]) if place >= 0 else None
    return place if match is not None and start < match.end() else -1


def _numbers(given: Floats, alone: Floats, ranks: Floats) -> Floats:
    if not len(given):
        return np.zeros(len(NAMES))
    gain = given - alone
    return np.array([
        (gain < 0).mean(), gain.mean(), given.mean(), (given < UNLIKELY).mean(), alone.mean(),
        np.log1p(ranks).mean(), (gain < 0).sum(),
    ])  # fmt: skip


class GeneratorEvidence:
    """Evidence of a causal language model in a local folder, loaded at the first use.

    The source's keys and values are kept for the next answer to the same texts.

    Args:
        folder: what ``from_pretrained`` reads; safetensors only.
        identity: of the weights' contents.
        dtype: name of a torch dtype. The coefficients were fitted in bfloat16; float32 gives the
            same verdicts but for statements on the threshold.
    """

    def __init__(self, folder: Path, identity: str, *, dtype: str = "bfloat16") -> None:
        self._folder = folder
        self._identity = identity
        self._dtype = dtype
        self._loaded: tuple[Any, Any] | None = None
        self._vocabulary: Any = None
        self._prefixes: dict[str, tuple[Any, Any, int]] = {}

    @property
    def identity(self) -> str:
        return self._identity

    def read(self, source: str, answer: str) -> TokenEvidence | None:
        """See `Evidence`."""
        _, tokenizer = self._load()
        encoded = tokenizer(answer, add_special_tokens=False, return_offsets_mapping=True)
        ids = encoded["input_ids"]
        prompt = self._prompt(source)
        if not ids or len(prompt) + len(ids) > LONGEST:
            return None
        given, ranks, attention = self._score(self._prefix(source, prompt), ids, attend=True)
        alone, _, _ = self._score(self._prefix("", self._prompt("")), ids, attend=False)
        return TokenEvidence(np.array(encoded["offset_mapping"]), given, alone, ranks, attention)

    def _prompt(self, source: str) -> list[int]:
        _, tokenizer = self._load()
        content = f"{source}\n\n{QUESTION}" if source else QUESTION
        text = render_chat(tokenizer, [{"role": "user", "content": content}])
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _prefix(self, source: str, ids: list[int]) -> tuple[Any, Any, int]:
        """Cache and last hidden state of a prompt; kept for no source, and for the last source."""
        import torch
        from transformers import DynamicCache

        if source not in self._prefixes:
            model, _ = self._load()
            model.config._attn_implementation = "sdpa"
            cache = DynamicCache(config=model.config)
            with torch.inference_mode():
                last = model.model(
                    torch.tensor([ids]), past_key_values=cache, use_cache=True
                ).last_hidden_state[:, -1:]
            self._prefixes = {k: v for k, v in self._prefixes.items() if not k}
            self._prefixes[source] = (cache, last, len(ids))
        return self._prefixes[source]

    def _score(
        self, prefix: tuple[Any, Any, int], ids: list[int], *, attend: bool
    ) -> tuple[Floats, Floats, Floats]:
        import torch

        model, _ = self._load()
        cache, last, size = prefix
        # Only the plain implementation gives the attention weights.
        model.config._attn_implementation = "eager" if attend else "sdpa"
        with torch.inference_mode():
            output = model.model(
                torch.tensor([ids]), past_key_values=cache, use_cache=True,
                output_attentions=attend,
            )  # fmt: skip
            cache.crop(-len(ids))
            states = torch.cat([last, output.last_hidden_state], 1)[0, :-1].float()
            logs = torch.log_softmax(states @ self._vocabulary.T, -1)
            own = logs[torch.arange(len(ids)), torch.tensor(ids)]
            ranks = (logs > own[:, None]).sum(1)
            heads = np.zeros((len(ids), 0))
            if attend:
                # Without the template's opening and closing tokens, on which heads rest.
                shares = [a[0, :, :, 4 : size - 8].float().sum(-1).T for a in output.attentions]
                heads = torch.cat(shares, 1).numpy().astype(float)
        return own.numpy().astype(float), ranks.numpy().astype(float), heads

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(str(self._folder))
            model: Any = AutoModelForCausalLM.from_pretrained(
                str(self._folder), dtype=getattr(torch, self._dtype), use_safetensors=True
            )
            self._loaded = model.eval(), tokenizer
            # In full precision: differences of log-likelihoods are what counts.
            self._vocabulary = model.get_output_embeddings().weight.detach().float()
        return self._loaded
