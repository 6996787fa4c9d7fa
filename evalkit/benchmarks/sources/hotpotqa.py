"""HotpotQA: questions that need two Wikipedia paragraphs (Yang et al. 2018, arXiv 1809.09600).

A file is a list of ``{"_id", "question", "answer", "type", "level", "supporting_facts": [[title,
sentence]], "context": [[title, [sentences]]]}``. The hub has ``id``, and objects of lists in the place
of lists of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.sources.building import SHORT, Paragraphs, build
from evalkit.benchmarks.sources.rows import (
    PathLike,
    RowError,
    converted,
    entries,
    from_json,
    published,
    text,
)

LICENSE = "CC BY-SA 4.0"


def load(
    path: PathLike | None = None,
    *,
    hub: str | None = None,
    revision: str | None = None,
    config: str = "distractor",
    split: str = "validation",
    license: str = LICENSE,
) -> Benchmark:
    """The corpus is the paragraphs that come with the questions, supporting or not.

    The evidence is the supporting sentences; the category is the question's type.

    Args:
        path: A file such as ``hotpot_dev_distractor_v1.json``, or a folder with one.
        hub: A data set on the hub with its features, such as ``hotpotqa/hotpot_qa``.
        revision: The commit of ``hub``.
        config: Its configuration.
        split: Its split.

    Raises:
        BenchmarkError: a row is not as expected; file, position and field are named.
    """
    where, rows = published(
        path, "*.json", lambda found: [line for each in found for line in entries(each, from_json(each))],
        hub=hub, revision=revision, config=config, split=split,
    )  # fmt: skip
    paragraphs = Paragraphs()
    questions = converted(rows, lambda line: _question(line, paragraphs), where)
    return build(
        paragraphs.lines, questions, name="hotpotqa", license=license, where=where, format=SHORT
    )


def _question(line: Line, paragraphs: Paragraphs) -> Line:
    row = line.row
    context: dict[str, tuple[str, list[str]]] = {}
    for title, sentences in _pairs(row, "context", "sentences", list):
        if not all(isinstance(each, str) for each in sentences):
            raise RowError("context", f"of {title!r} holds no sentences", "a list of texts")
        whole = "".join(sentences).strip()
        if whole:
            context[title] = (paragraphs.id(line, title, whole), sentences)
    facts = _pairs(row, "supporting_facts", "sent_id", int)
    evidence = [_evidence(*context[title], number) for title, number in facts if title in context]
    made = {
        "id": text(row, "_id" if "_id" in row else "id"),
        "question": text(row, "question"),
        "category": row.get("type"),
        "answers": [{"text": text(row, "answer"), "evidence": evidence}],
        "tags": [row["level"]] if row.get("level") else [],
    }
    return Line(line.file, line.number, made | {"cluster": made["id"]})


def _evidence(document: str, sentences: list[str], number: int) -> dict[str, Any]:
    """A supporting sentence; some published numbers lie beyond the paragraph, which is named then."""
    quote = sentences[number].strip() if 0 <= number < len(sentences) else None
    return {"revision": document, "quote": quote or None}


def _pairs(row: dict[str, Any], key: str, second: str, kind: type) -> Iterator[tuple[str, Any]]:
    found = row.get(key)
    if isinstance(found, dict) and isinstance(found.get("title"), list):
        listed: Any = list(zip(found["title"], found.get(second) or [], strict=False))
    else:
        listed = found
    if not isinstance(listed, list):
        raise RowError(key, f"is {str(found)[:40]!r}", f"a list of pairs, title and {second}")
    for each in listed:
        if (
            not isinstance(each, (list, tuple))
            or len(each) != 2
            or not isinstance(each[0], str)
            or not isinstance(each[1], kind)
        ):
            raise RowError(key, f"holds {str(each)[:40]!r}", f"pairs of a title and {second}")
        yield each[0], each[1]
