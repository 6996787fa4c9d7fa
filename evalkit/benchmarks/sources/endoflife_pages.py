"""The product pages of endoflife.date as they stood on some days.

A page is Markdown below a YAML front matter that lists the releases (``releaseCycle``, ``latest``,
``eol`` ...). Layout: ``ROOT/YYYY-MM-DD/products/NAME.md``, one folder for each day.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from evalkit.benchmarks.check import BenchmarkError
from evalkit.benchmarks.schema import parse_date

KINDS = ("latest", "eol")
Fact = tuple[str, str]
"""A release cycle and one of `KINDS`."""

_FRONT = re.compile(r"---\r?\n(.*?)\r?\n---\s*?(?:\r?\n|\Z)", re.DOTALL)
_ITEM = re.compile(r"^( *)-[ \t]+", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One page on one day.

    Attributes:
        document: The id of the page through all days: its file's first name.
        text: The whole page.
        facts: What the page states, by cycle and kind; a cycle that is listed twice is left out.
        quotes: Where: the text from the name of the cycle to the value, or the other way round.
    """

    file: str
    document: str
    title: str
    text: str
    facts: Mapping[Fact, str]
    quotes: Mapping[Fact, str]


@dataclass
class Names:
    """Gives a page the same id on all days, also when its file, address or title changes.

    A page is known by its file's name, else by its address (``permalink``), else by its title,
    unless another page of that day has the id already. Only earlier days are looked at.
    """

    known: dict[str, str] = field(default_factory=dict)

    def of(self, day: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """The id of each page of a day.

        Args:
            day: The front matter by the name of the file, without its ending.
        """
        given: dict[str, str] = {}
        for stem, front in sorted(day.items(), key=lambda each: (each[0] not in self.known, each)):
            taken = set(given.values())
            known = (self.known.get(name) for name in self._names(stem, front))
            found = (each for each in known if each is not None and each not in taken)
            given[stem] = next(found, stem)
        for stem, document in given.items():
            self.known.update(dict.fromkeys(self._names(stem, day[stem]), document))
        return given

    @staticmethod
    def _names(stem: str, front: Mapping[str, Any]) -> tuple[str, str, str]:
        return stem, f"address {front.get('permalink')}", f"title {front.get('title')}"


def days(root: str | os.PathLike[str]) -> list[date]:
    """The days of which ``root`` holds pages, ascending.

    Raises:
        BenchmarkError: there are none.
    """
    folder = Path(root)
    listed = folder.iterdir() if folder.is_dir() else ()
    found = sorted(day for each in listed if (day := parse_date(each.name)) and each.is_dir())
    if not found:
        raise BenchmarkError(
            f"{folder} holds no folder named YYYY-MM-DD; expected one for each day, with the pages"
            " of that day in products/",
            todo="take them out of the history of the endoflife.date repository; see"
            " evalkit/benchmarks/SOURCES.md",
        )
    return found


def pages(
    root: str | os.PathLike[str], chosen: Sequence[date]
) -> Iterator[tuple[date, list[Page]]]:
    """The pages of each chosen day, ordered by file; one day is held at a time.

    Raises:
        BenchmarkError: a page is not UTF-8 or its front matter cannot be read; file and line are
            named.
    """
    names = Names()
    for day in chosen:
        folder = Path(root) / day.isoformat() / "products"
        read = {path.stem: _read(path) for path in sorted(folder.glob("*.md"))}
        if not read:
            raise BenchmarkError(f"{folder} holds no pages; expected files that end in .md")
        given = names.of({stem: front for stem, (_, _, front) in read.items()})
        yield (
            day,
            [
                _page(f"{day}/products/{stem}.md", given[stem], *parts)
                for stem, parts in read.items()
            ],
        )


def _read(path: Path) -> tuple[str, str, dict[str, Any]]:
    """The text of a page, its front matter as text, and as read."""
    import yaml

    loader: type = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # all values stay texts
    try:
        text = path.read_text(encoding="utf-8")
        found = _FRONT.match(text)
        front = yaml.load(found[1], Loader=loader) if found else None  # noqa: S506, a BaseLoader
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{path} is not UTF-8 at byte {error.start + 1}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 2}" if mark else ""  # counted from 0, below the line of dashes
        reason = getattr(error, "problem", None) or error
        raise BenchmarkError(
            f"{path}{line} has a front matter that is not YAML: {reason}"
        ) from error
    if found is None or not isinstance(front, dict) or not isinstance(front.get("title"), str):
        raise BenchmarkError(
            f"{path}:1 has no front matter with a title; expected a page of endoflife.date"
        )
    return text, found[1], front


def _page(file: str, document: str, text: str, front_text: str, front: dict[str, Any]) -> Page:
    listed = front.get("releases")
    releases = [each if isinstance(each, dict) else {} for each in listed or ()]
    cycles = Counter(_scalar(each.get("releaseCycle")) for each in releases)
    parts = _items(front_text)
    located = parts if len(parts) == len(releases) else [""] * len(releases)
    facts: dict[Fact, str] = {}
    quotes: dict[Fact, str] = {}
    for release, part in zip(releases, located, strict=True):
        cycle = _scalar(release.get("releaseCycle"))
        if cycle is None or cycles[cycle] > 1:
            continue
        for kind in KINDS:
            stated = _stated(kind, _scalar(release.get(kind)))
            if stated is not None:
                facts[cycle, kind] = stated
                if quote := _quote(part, kind):
                    quotes[cycle, kind] = quote
    return Page(file, document, front["title"].strip(), text, facts, quotes)


def _scalar(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _stated(kind: str, value: str | None) -> str | None:
    """The value, where it answers a question: a date for ``eol`` (not "true", "false"), a version
    and no template for ``latest``.
    """
    if value is None or "{{" in value or value.lower() in ("null", "~"):
        return None
    return value if kind == "latest" or parse_date(value) else None


def _items(front: str) -> list[str]:
    """The text of each item of ``releases``; empty where the list is written in another style."""
    head = re.search(r"^releases:[ \t]*(?:#.*)?$", front, re.MULTILINE)
    if head is None:
        return []
    after = re.search(r"^[A-Za-z]", front[head.end() :], re.MULTILINE)
    part = front[head.end() : head.end() + after.start()] if after else front[head.end() :]
    marks = list(_ITEM.finditer(part))
    outer = [each.start() for each in marks if each[1] == marks[0][1]]
    return [part[a:b] for a, b in zip(outer, [*outer[1:], len(part)], strict=True)]


def _quote(item: str, kind: str) -> str | None:
    """The lines of an item from its cycle to the value, without the dash before them."""
    places = [
        re.search(rf"^[ \t]*(?:-[ \t]+)?({key}:[ \t]*\S.*?)[ \t\r]*$", item, re.MULTILINE)
        for key in ("releaseCycle", kind)
    ]
    spans = [each.span(1) for each in places if each]
    if len(spans) != len(places):
        return None
    return item[min(start for start, _ in spans) : max(end for _, end in spans)]
