"""The texts a judge decides from: windows of prose, and the attributes of structured data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from evalkit.scoring.judges.wording import Wording, wording
from evalkit.scoring.text import sentences

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\-]")
_BARE_TIME = re.compile(r"\b(\d{1,2}):(\d)(?!\d)")
_RULE = re.compile(r"^[\s|:-]+$")
_HEADING = re.compile(r"^\s*(?:#{2,6}\s+(.+)|\*\*([^*]+)\*\*:?\s*)$")
LONGEST_LEAF = 200
"""A string of structured data with more characters is prose, and is read as sentences."""


@dataclass(frozen=True)
class Attribute:
    """One leaf of structured data: the words of its keys, and its value."""

    path: tuple[str, ...]
    value: Any

    @property
    def text(self) -> str:
        known = self.value is None or isinstance(self.value, bool)
        shown = {True: "yes", False: "no", None: "unknown"}[self.value] if known else self.value
        return f"{' '.join(self.path)}: {shown}"


@dataclass(frozen=True)
class Source:
    """Texts taken apart once. ``windows`` are single sentences, then pairs of neighbours."""

    singles: tuple[Wording, ...]
    doubles: tuple[Wording, ...]
    attributes: tuple[Attribute, ...]

    @cached_property
    def windows(self) -> tuple[Wording, ...]:
        return self.singles + self.doubles

    @cached_property
    def content(self) -> frozenset[str]:
        return frozenset().union(*(w.content for w in self.singles))

    @cached_property
    def values(self) -> frozenset[str]:
        return frozenset().union(*(w.values for w in self.singles))

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset().union(*(w.pairs for w in self.doubles or self.singles))

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word, folded: what a name is looked up in."""
        return frozenset(
            part for w in self.singles for part in re.findall(r"[\w'’&-]+", w.text.casefold())
        )


def read(texts: Sequence[str]) -> Source:
    """Take texts apart. One that is a JSON object or list is structured data."""
    parts = [_read(text) for text in texts]
    return Source(
        tuple(w for p in parts for w in p.singles),
        tuple(w for p in parts for w in p.doubles),
        tuple(a for p in parts for a in p.attributes),
    )


@lru_cache(maxsize=1024)
def _read(text: str) -> Source:
    data = _structured(text)
    if data is None:
        attributes: tuple[Attribute, ...] = ()
        runs = [sentences(text)]
    else:
        leaves = tuple(_leaves(data, ()))
        attributes = tuple(a for a in leaves if not _is_prose(a.value))
        runs = [tuple(_padded(a.text) for a in attributes)]
        runs += [sentences(a.value) for a in leaves if _is_prose(a.value)]
    doubles = [f"{a} {b}" for run in runs[data is not None :] for a, b in pairwise(run)]
    if data is None:
        runs.append(tuple(_cells(text)))
        doubles.extend(_under_headings(text))
    return Source(
        tuple(wording(s) for run in runs for s in run),
        tuple(wording(d) for d in doubles),
        attributes,
    )


def _cells(text: str) -> Iterator[str]:
    """Each cell of a Markdown table with the name of its row and of its column."""
    header: list[str] = []
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            header = []
            continue
        row = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not header:
            header = row
        elif not _RULE.match(line):
            for name, cell in zip(header[1:], row[1:], strict=False):
                yield f"{row[0]} | {name} | {cell}"


def _under_headings(text: str) -> Iterator[str]:
    """Each sentence of a section with the section's heading before it."""
    heading = ""
    for line in text.splitlines():
        found = _HEADING.match(line)
        if found:
            heading = (found[1] or found[2]).strip()
        elif heading and not line.lstrip().startswith("|"):
            for sentence in sentences(line):
                yield f"{heading}: {sentence}"


def _structured(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict | list) else None


def _leaves(data: Any, path: tuple[str, ...]) -> Iterator[Attribute]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, (*path, *_CAMEL.sub(" ", str(key)).split()))
    elif isinstance(data, list):
        for value in data:
            yield from _leaves(value, path)
    else:
        yield Attribute(path, data)


def _is_prose(value: Any) -> bool:
    return isinstance(value, str) and len(value) > LONGEST_LEAF


def _padded(text: str) -> str:
    """Times such as ``8:0`` as ``8:00``."""
    return _BARE_TIME.sub(r"\1:0\2", text)
