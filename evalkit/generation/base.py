"""The Generator protocol: requests in, completions out as they finish."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from evalkit.errors import ConfigError
from evalkit.records import Message


@dataclass(frozen=True)
class Decoding:
    """Decoding settings, the same in every pipeline that is compared.

    ``temperature`` 0 is greedy; ``seed`` matters only when sampling.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if type(self.max_new_tokens) is not int or self.max_new_tokens < 1:
            raise ConfigError(
                f"model.decoding.max_new_tokens is {self.max_new_tokens!r}, expected at least 1"
            )
        if not isinstance(self.temperature, int | float) or not self.temperature >= 0:
            raise ConfigError(
                f"model.decoding.temperature is {self.temperature!r}, expected a number of 0 or more"
            )

    @property
    def identity(self) -> dict[str, object]:
        """What can change an answer; the seed of greedy decoding cannot."""
        seed = self.seed if self.temperature else None
        return {
            "max_new_tokens": self.max_new_tokens, "temperature": self.temperature, "seed": seed
        }  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One prompt to complete; ``id`` comes back with the completion."""

    id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Completion:
    """What the generator said.

    Attributes:
        seconds: This row's share of its batch's wall time; of a server, from sending to reply.
        finish_reason: ``stop``, ``length`` (cut at ``max_new_tokens``) or ``error``.
        error: Why there is no answer; None where there is one.
        tokens_estimated: Whether the numbers of tokens are guesses, because nobody counted them.
    """

    id: str
    text: str
    prompt: str
    prompt_tokens: int
    output_tokens: int
    finish_reason: str
    seconds: float
    error: str | None = None
    tokens_estimated: bool = False


def request_seed(seed: int, request: str) -> int:
    """The seed of one request when sampling, in [0, 2**56): the same in whichever batch it is asked."""
    digest = hashlib.blake2b(f"{seed}:{request}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")


class Generator(Protocol):
    """An engine. ``identity`` names everything that can change its output: contents of the weights
    and the adapter, dtype, decoding settings and the engine's own version.
    """

    @property
    def identity(self) -> dict[str, object]: ...

    def count_tokens(self, messages: Sequence[Message]) -> int: ...

    def render(self, messages: Sequence[Message]) -> str: ...

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]: ...

    def close(self) -> None: ...
