"""CLAPnq: long answers to Natural Questions, from one passage each (Rosenthal et al. 2024, arXiv
2404.02103).

A file is JSON lines of ``{"id", "input", "passages": [{"title", "text", "sentences"}], "output":
[{"answer", "selected_sentences", "meta"}]}``; an unanswerable question has the answer null and a passage
that does not answer it. The hub has the same rows.
"""

from __future__ import annotations

from typing import Any

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.sources.building import LONG, Paragraphs, answer_row, build
from evalkit.benchmarks.sources.rows import (
    PathLike,
    RowError,
    converted,
    from_jsonl,
    published,
    text,
)

LICENSE = "Apache-2.0"


def load(
    path: PathLike | None = None,
    *,
    hub: str | None = None,
    revision: str | None = None,
    config: str | None = None,
    split: str = "validation",
    license: str = LICENSE,
) -> Benchmark:
    """The corpus is the passages that come with the questions.

    The evidence is the passage with the sentences that an annotator chose; several annotators'
    answers are one answer in several wordings. Questions on one article are one cluster.

    Args:
        path: A file in the layout of ``annotated_data``, or a folder of such files.
        hub: A data set on the hub with these rows, such as ``PrimeQA/clapnq``.
        revision: The commit of ``hub``.
        config: Its configuration.
        split: Its split.

    Raises:
        BenchmarkError: a row is not as expected; file, line and field are named.
    """
    where, rows = published(
        path, "*.jsonl", from_jsonl,
        hub=hub, revision=revision, config=config, split=split,
    )  # fmt: skip
    passages = Paragraphs()
    questions = converted(rows, lambda line: _question(line, passages), where)
    return build(
        passages.lines, questions, name="clapnq", license=license, where=where, format=LONG
    )


def _question(line: Line, passages: Paragraphs) -> Line:
    row = line.row
    shown = _objects(row, "passages")
    given = [each for each in _objects(row, "output") if each.get("answer")]
    evidence = []
    for passage in shown:
        whole = text(passage, "text")
        document = passages.id(line, text(passage, "title"), whole)
        chosen = [s.strip() for each in given for s in each.get("selected_sentences") or ()]
        quotes = [each for each in dict.fromkeys(chosen) if each and each in whole] or [None]
        evidence += [{"revision": document, "quote": quote} for quote in quotes]
    wordings = [text(each, "answer") for each in given]
    made = {
        "id": text(row, "id"),
        "question": text(row, "input"),
        "category": "answerable" if given else "unanswerable",
        "cluster": text(shown[0], "title") if shown else None,
        "answers": [answer_row(wordings, evidence=evidence)] if given else [],
    }
    return Line(line.file, line.number, made)


def _objects(row: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = row.get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise RowError(key, f"is {str(found)[:40]!r}", "a list of objects")
    return found
