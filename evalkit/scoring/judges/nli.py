"""A judge by an entailment or hallucination model: a text is the premise, a statement what follows.

Any sequence classifier of a hub or a folder whose labels say which of them means support. A long
text is read in windows that overlap, and its best window counts (as in SummaC-ZS, Laban et al.
2022, arXiv 2111.09525).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, WeightsError
from evalkit.scoring.judges.base import Judgment
from evalkit.scoring.judges.chat import digest
from evalkit.scoring.judges.claims import read_claim, where
from evalkit.scoring.judges.loading import load_weights

VERSION = "1"
LONGEST = 512
"""Tokens of a window where neither the model nor the configuration sets fewer."""
SHORTEST = 16
"""Tokens of a window that are the text's; a statement that leaves fewer cannot be judged."""
_MEANS_SUPPORT = {
    "entailment", "entailed", "entails", "entail", "consistent", "factual", "faithful", "supported",
    "supports", "support", "grounded", "attributable",
}  # fmt: skip


@dataclass(frozen=True)
class _Pair:
    """One window of a text against a statement, by the places of both."""

    statement: int
    text: int
    ids: Mapping[str, list[int]]
    span: tuple[int, int]


class NLIJudge:
    """Support where the model's probability of its supporting label reaches the threshold.

    Args:
        folder: What ``from_pretrained`` reads; safetensors only, and no code of the model's own.
        weights: Identity of the weights' contents.
        name: What reports call the model.
        supports: The label that means support; None finds it by its name. A model with one label
            gives its probability by the logistic function, any other by softmax.
        threshold: In (0, 1).
        window: Tokens of text and statement together; None is what the model takes, at most 512.
        overlap: Tokens that neighbouring windows share.
        batch: Windows computed together.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.

    Raises:
        ConfigError: No label, or more than one, can be taken for support; the labels are listed.
        WeightsError: There is no readable configuration in the folder.
    """

    def __init__(
        self,
        folder: Path,
        weights: str,
        *,
        name: str,
        supports: str | None = None,
        threshold: float = 0.5,
        window: int | None = None,
        overlap: int = 64,
        batch: int = 16,
        device: str = "auto",
        dtype: str = "float32",
    ) -> None:
        from evalkit.machine.hardware import resolve_device, resolve_dtype

        if not isinstance(threshold, float) or not 0 < threshold < 1:
            raise ConfigError(f"judge.judge.threshold is {threshold!r}, expected a share in (0, 1)")
        self._folder = folder
        self._model_name = name
        self._labels = _labels(folder)
        self._column = support_column(self._labels, supports)
        self._threshold = threshold
        self._window = _whole("window", window, SHORTEST) if window is not None else None
        self._overlap = _whole("overlap", overlap, 0)
        self._batch = _whole("batch", batch, 1)
        self._device = resolve_device(device)
        self._dtype = resolve_dtype(dtype, self._device)
        settings = [weights, self._column, threshold, window, overlap, self._device, self._dtype]
        self._settings = digest(settings)[:10]

    @property
    def name(self) -> str:
        return f"nli:{self._model_name}"

    @property
    def version(self) -> str:
        """Changes with the weights and with every setting that can change a verdict."""
        return f"{VERSION}-{self._settings}"

    @property
    def blind_to(self) -> tuple[str, ...]:
        """What the reading in windows costs; calibrate the model to know more."""
        return ("conclusions from several windows",)

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        """One judgment each, in order; one too long for the model is a failed one.

        Of a claim (`claims.claim`) the value is judged, by the texts of its source and date.
        """
        pairs: list[_Pair] = []
        errors: dict[int, str] = {}
        for place, statement in enumerate(statements):
            claimed = read_claim(statement)
            said = claimed.value if claimed else statement
            kept = where(claimed, texts) if claimed else texts
            numbered = [(number, text) for number, text in enumerate(texts) if text in kept]
            try:
                pairs += [p for n, text in numbered for p in self._pairs(place, said, n, text)]
            except ValueError as error:
                errors[place] = str(error)
        best: dict[int, tuple[float, _Pair]] = {}
        for pair, probability in self._probabilities(pairs):
            if pair.statement not in best or probability > best[pair.statement][0]:
                best[pair.statement] = (probability, pair)
        return [
            Judgment(None, error=errors[place])
            if place in errors
            else self._judgment(best.get(place), texts)
            for place in range(len(statements))
        ]

    def _judgment(self, best: tuple[float, _Pair] | None, texts: Sequence[str]) -> Judgment:
        if best is None:
            return Judgment(False, record={"model": self._model_name})
        probability, pair = best
        # Rounded, so that the padding of a batch cannot move a verdict across the threshold.
        probability = round(probability, 4)
        evidence = texts[pair.text][slice(*pair.span)]
        record = {"model": self._model_name, "probability": probability}
        return Judgment(probability >= self._threshold, probability, evidence, record=record)

    def _pairs(self, place: int, statement: str, number: int, text: str) -> Iterator[_Pair]:
        """The windows of a text against a statement.

        Raises:
            ValueError: The statement leaves no room for the text.
        """
        tokenizer = self._tokenizer
        alone = len(tokenizer("", statement)["input_ids"])
        if self._room - alone < SHORTEST:
            raise ValueError(
                f"the statement takes {alone} of the {self._room} tokens that the model can read"
            )
        found = tokenizer(
            text,
            statement,
            truncation="only_first",
            max_length=self._room,
            stride=min(self._overlap, (self._room - alone) // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        for row in range(len(found["input_ids"])):
            kept = {k: found[k][row] for k in tokenizer.model_input_names if k in found}
            spans = [
                span
                for span, part in zip(
                    found["offset_mapping"][row], found.sequence_ids(row), strict=True
                )
                if part == 0
            ]
            yield _Pair(place, number, kept, (spans[0][0], spans[-1][1]) if spans else (0, 0))

    def _probabilities(self, pairs: Sequence[_Pair]) -> Iterator[tuple[_Pair, float]]:
        import torch

        ordered = sorted(pairs, key=lambda pair: len(pair.ids["input_ids"]))
        for start in range(0, len(ordered), self._batch):
            batch = ordered[start : start + self._batch]
            padded = self._tokenizer.pad([dict(p.ids) for p in batch], return_tensors="pt")
            with torch.inference_mode():
                logits = self._model(**padded.to(self._device)).logits.float()
            shares = logits.sigmoid() if logits.shape[-1] == 1 else logits.softmax(-1)
            for pair, share in zip(batch, shares[:, self._column].tolist(), strict=True):
                if share != share:
                    raise ValueError(f"{self._model_name} gave no number")
                yield pair, share

    @cached_property
    def _room(self) -> int:
        """Tokens of a window: the configured ones, and never more than the model can read."""
        config = self._model.config
        able = [self._tokenizer.model_max_length, self._window or LONGEST]
        if positions := getattr(config, "max_position_embeddings", None):
            # RoBERTa's kind keeps its first positions for padding.
            kept = config.pad_token_id + 1 if "roberta" in str(config.model_type) else 0
            able.append(positions - kept)
        return int(min(able))

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(self._folder), trust_remote_code=False)
        if not tokenizer.is_fast:
            raise WeightsError(
                f"the tokenizer of {self._model_name} cannot tell where its tokens stand",
                todo="use a model with tokenizer.json",
            )
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        return load_weights(
            "AutoModelForSequenceClassification",
            "a sequence classifier",
            self._folder,
            self._dtype,
            self._device,
        )


def support_column(labels: Sequence[str], chosen: str | None = None) -> int:
    """The place of the label that means support.

    A label means support if a word of its name does (entailment, consistent, supported ...) and no
    part of it denies that (``not_entailment``, ``inconsistent``, ``unsupported``).

    Raises:
        ConfigError: ``chosen`` is no label, or without it not exactly one label means support.
    """
    listed = ", ".join(map(repr, labels))
    if chosen is not None:
        if chosen not in labels:
            raise ConfigError(
                f"judge.judge.supports is {chosen!r}, which is no label of the model",
                todo=f"its labels are {listed}",
            )
        return labels.index(chosen)
    found = [place for place, label in enumerate(labels) if _means_support(label)]
    if len(found) != 1:
        raise ConfigError(
            f"which label of the judge's model means support? Its labels are {listed}",
            todo="name it with judge.judge.supports=LABEL; the model's card says what they mean",
        )
    return found[0]


def _means_support(label: str) -> bool:
    words = re.split(r"[^a-z]+", label.casefold())
    return bool(_MEANS_SUPPORT.intersection(words)) and not {"not", "non", "no"} & set(words)


def _labels(folder: Path) -> list[str]:
    from transformers import AutoConfig

    try:
        named = AutoConfig.from_pretrained(str(folder), trust_remote_code=False).id2label
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"could not read the configuration of the judge's model in {folder}: {error}",
            todo="choose a model that transformers knows; code that comes with a model is not run",
        ) from error
    return [str(named[place]) for place in sorted(named)]


def _whole(key: str, value: Any, least: int) -> int:
    if type(value) is not int or value < least:
        raise ConfigError(
            f"judge.judge.{key} is {value!r}, expected a whole number, at least {least}"
        )
    return value
