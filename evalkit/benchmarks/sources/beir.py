"""BEIR: what should be found, and no answers (Thakur et al. 2021, arXiv 2104.08663).

A folder holds ``corpus.jsonl`` (``_id``, ``title``, ``text``), ``queries.jsonl`` (``_id``, ``text``) and
``qrels/SPLIT.tsv`` (``query-id``, ``corpus-id``, ``score``). On the hub the judgments are a data set of
their own, named like the first with ``-qrels`` behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.check import BenchmarkError
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.sources.building import build
from evalkit.benchmarks.sources.rows import (
    PathLike,
    RowError,
    converted,
    files,
    from_csv,
    from_hub,
    from_jsonl,
    source,
    text,
    value,
)
from evalkit.records import FormatSpecification

LICENSE = "differs by data set; see the one that was loaded"
COLUMNS = ("query-id", "corpus-id", "score")


def load(
    path: PathLike | None = None,
    *,
    hub: str | None = None,
    revision: str | None = None,
    qrels_revision: str | None = None,
    split: str = "test",
    name: str | None = None,
    license: str = LICENSE,
) -> Benchmark:
    """The queries that a split judges, each with the documents judged relevant as evidence.

    A query's answer has evidence and no text, as what it is is not known: retrieval is measured, and
    the metrics of the answer are not applicable. Relevance is yes (a score above 0) or no; for graded
    judgments use `evalkit.scoring.ranking.ranking_metrics`. A document without text is its title; one
    without both is left out, and so is a query for which nothing is relevant.

    Args:
        path: The folder of a data set, such as ``scifact``.
        hub: A data set on the hub in this layout, such as ``BeIR/scifact``.
        revision: The commit of ``hub``.
        qrels_revision: The commit of ``hub`` + ``-qrels``.
        split: Whose judgments.
        name: The benchmark's name; default that of the folder or data set.

    Raises:
        BenchmarkError: a row is not as expected, or a judgment names no query or no document; file,
            line and field are named.
    """
    where = source(path, hub, revision)
    if hub is not None and revision is not None:
        source(None, f"{hub}-qrels", qrels_revision)
        documents, queries = (from_hub(hub, revision, part, part) for part in ("corpus", "queries"))
        judgments = from_hub(f"{hub}-qrels", str(qrels_revision), None, split)
    else:
        folder = _folder(path or "")
        documents, queries = (
            from_jsonl(files(folder / part, part)) for part in ("corpus.jsonl", "queries.jsonl")
        )
        table = files(folder / "qrels" / f"{split}.tsv", f"{split}.tsv")[0]
        judgments = from_csv(table, COLUMNS, "\t")
    corpus = [each for each in converted(documents, _document, where) if each.row["text"]]
    known = {text(line.row, "_id") for line in documents}
    found = {str(each.row["document"]) for each in corpus}
    judged = converted(judgments, lambda line: _judgment(line, known), where)
    asked = converted(queries, lambda line: (text(line.row, "_id"), line), where)
    return build(
        corpus,
        _questions(asked, [each for each in judged if each[1] in found]),
        name=name or Path(where.partition("@")[0]).name,
        license=license,
        where=where,
        format=FormatSpecification(),
    )


def _folder(path: PathLike) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise BenchmarkError(
            f"{folder} is no folder; expected one with corpus.jsonl, queries.jsonl and qrels"
        )
    return folder


def _document(line: Line) -> Line:
    title, body = (value(line.row, key, str, optional=True) or "" for key in ("title", "text"))
    row = {"document": text(line.row, "_id"), "title": title.strip(), "text": body or title}
    return Line(line.file, line.number, row)


def _judgment(line: Line, known: set[str]) -> tuple[str, str, Line] | tuple[str, None, Line]:
    """The query and the document judged relevant to it; no document where the score is not above 0."""
    query, document = text(line.row, "query-id"), text(line.row, "corpus-id")
    score = text(line.row, "score")
    try:
        relevant = float(score) > 0
    except ValueError:
        raise RowError("score", f"is {score!r}", "a number") from None
    if document not in known and relevant:
        raise RowError("corpus-id", f"{document!r} is no document", "an _id of corpus.jsonl")
    return (query, document, line) if relevant else (query, None, line)


def _questions(
    asked: Sequence[tuple[str, Line]], judged: Sequence[tuple[str, str | None, Line]]
) -> list[Line]:
    relevant: dict[str, dict[str, Line]] = {}
    for query, document, line in judged:
        if document is not None:
            relevant.setdefault(query, {})[document] = line
    unasked = relevant.keys() - {query for query, _ in asked}
    if unasked:
        line = next(iter(relevant[min(unasked)].values()))
        raise BenchmarkError(
            f"{line.file}:{line.number} query-id: {min(unasked)!r} is no query ({len(unasked)} such); "
            "expected an _id of queries.jsonl"
        )
    return [
        Line(
            line.file,
            line.number,
            {
                "id": query,
                "question": text(line.row, "text"),
                "cluster": query,
                "answers": [{"evidence": [{"revision": each} for each in relevant[query]]}],
                "format": "free",
            },
        )
        for query, line in asked
        if query in relevant
    ]
