"""SQuAD 1.1 and 2.0, XQuAD, and others in their layout: questions on Wikipedia paragraphs.

A file is ``{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers":
[{"text", "answer_start"}], "is_impossible"}]}]}]}`` (Rajpurkar et al. 2016, arXiv 1606.05250, and 2018,
arXiv 1806.03822; Artetxe et al. 2020, arXiv 1910.11856). The hub has one row for each question, with
``context`` and ``title`` in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.sources.building import SHORT, Paragraphs, answer_row, build
from evalkit.benchmarks.sources.rows import (
    PathLike,
    RowError,
    converted,
    entries,
    files,
    from_json,
    published,
    text,
    texts,
    value,
)

LICENSE = "CC BY-SA 4.0"


def load(
    path: PathLike | None = None,
    *,
    hub: str | None = None,
    revision: str | None = None,
    config: str | None = None,
    split: str = "validation",
    name: str = "squad",
    license: str = LICENSE,
) -> Benchmark:
    """One document for each paragraph; an unanswerable question has no answer.

    The evidence is the paragraph, with the answer's words as quote. Questions on one article are one
    cluster.

    Args:
        path: A file in SQuAD's layout, or a folder of such files (``*.json``).
        hub: A data set on the hub with SQuAD's features, such as ``rajpurkar/squad_v2``.
        revision: The commit of ``hub``.
        config: Its configuration, such as ``xquad.en``.
        split: Its split.

    Raises:
        BenchmarkError: a row is not as expected; file, position and field are named.
    """
    where, rows = published(
        path, "*.json", lambda found: [line for each in found for line in _flat(each, str(path))],
        hub=hub, revision=revision, config=config, split=split,
    )  # fmt: skip
    paragraphs = Paragraphs()
    questions = converted(rows, lambda line: _question(line, paragraphs), where)
    return build(paragraphs.lines, questions, name=name, license=license, where=where, format=SHORT)


def _flat(path: PathLike, where: str) -> Iterator[Line]:
    """One row for each question of a file, as the hub has them."""
    whole = from_json(files(path, "*.json")[0])
    name = files(path, "*.json")[0]
    articles = whole.get("data") if isinstance(whole, dict) else None
    for article in entries(name, articles, ".data"):
        title = converted([article], lambda line: text(line.row, "title"), where)[0]
        place = article.file.removeprefix(name.name)
        for paragraph in entries(name, article.row.get("paragraphs"), f"{place}.paragraphs"):
            inner = paragraph.file.removeprefix(name.name)
            for question in entries(name, paragraph.row.get("qas"), f"{inner}.qas"):
                row = {**question.row, "title": title, "context": paragraph.row.get("context")}
                yield Line(question.file, 0, row)


def _question(line: Line, paragraphs: Paragraphs) -> Line:
    row = line.row
    context, title = value(row, "context", str) or "", text(row, "title")
    document = paragraphs.id(line, title, context)
    wordings = [] if row.get("is_impossible") else _wordings(row)
    quotes: list[str | None] = [each for each in wordings if each in context]
    evidence = [{"revision": document, "quote": quote} for quote in quotes or [None]]
    made = {
        "id": text(row, "id"),
        "question": text(row, "question"),
        "category": "answerable" if wordings else "unanswerable",
        "cluster": title,
        "answers": [answer_row(wordings, evidence=evidence)] if wordings else [],
    }
    return Line(line.file, line.number, made)


def _wordings(row: dict[str, object]) -> Sequence[str]:
    """The answers' texts, each once: a list of objects in files, an object of lists on the hub."""
    found = row.get("answers")
    listed = found.get("text") if isinstance(found, dict) else found
    if isinstance(listed, list):
        plain = [each.get("text") if isinstance(each, dict) else each for each in listed]
        return texts({"answers": plain}, "answers")
    raise RowError("answers", f"is {str(found)[:40]!r}", "a list of objects with a text each")
