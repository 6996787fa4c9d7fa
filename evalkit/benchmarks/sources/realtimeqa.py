"""RealTime QA: weekly news quizzes (Kasai et al. 2023, arXiv 2207.13332).

A week is JSON lines of ``{"question_id", "question_date", "question_source", "question_url",
"question_sentence", "choices", "answer", "evidence"}`` in a file ``YYYYMMDD_qa.jsonl``; ``answer`` holds the
position of the right choice, counted from 0, as text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import date

from evalkit.benchmarks.benchmark import Benchmark
from evalkit.benchmarks.lines import Line
from evalkit.benchmarks.schema import parse_date
from evalkit.benchmarks.sources.building import SHORT, build, own_corpus
from evalkit.benchmarks.sources.rows import (
    PathLike,
    RowError,
    converted,
    from_jsonl,
    published,
    text,
    texts,
    value,
)

LICENSE = "none stated; the questions are of news publishers"
_MARKUP = re.compile(r"<[^>]*>")


def load(
    path: PathLike | None = None,
    *,
    hub: str | None = None,
    revision: str | None = None,
    config: str | None = None,
    split: str = "test",
    choices: bool = False,
    corpus: PathLike | None = None,
    license: str = LICENSE,
) -> Benchmark:
    """Each question on its date; the answer holds from then on, as far as the rows say.

    A question's ``evidence`` is a document from that date on, without its markup; questions without
    one have none. A question that stands in several files is taken once; a second question with an
    id that is used already gets ``#2`` behind it.

    Args:
        path: A week's file, or a folder of them (``????????_qa.jsonl``, at any depth).
        hub: A data set on the hub with these rows.
        revision: The commit of ``hub``.
        config: Its configuration.
        split: Its split.
        choices: Whether the question names the choices (the multiple-choice setting).
        corpus: A ``corpus.jsonl`` of your own to be searched beside the evidence.

    Raises:
        BenchmarkError: a row is not as expected; file, line and field are named.
    """
    where, rows = published(
        path, "????????_qa.jsonl", from_jsonl,
        hub=hub, revision=revision, config=config, split=split,
    )  # fmt: skip
    made = converted(_once(rows), lambda line: _question(line, choices), where)
    return build(
        [*own_corpus(corpus), *(document for _, document in made if document)],
        [line for line, _ in made],
        name="realtimeqa",
        license=license,
        where=where,
        format=SHORT,
    )


def _once(rows: Sequence[Line]) -> list[Line]:
    """The rows, each question once, with ids that are used once."""
    numbers: dict[str, dict[str, int]] = {}
    kept = []
    for line in rows:
        name, asked = (str(line.row.get(key)) for key in ("question_id", "question_sentence"))
        known = numbers.setdefault(name, {})
        if asked in known:
            continue
        number = known[asked] = len(known) + 1
        row = line.row if number == 1 else {**line.row, "question_id": f"{name}#{number}"}
        kept.append(Line(line.file, line.number, row))
    return kept


def _question(line: Line, with_choices: bool) -> tuple[Line, Line | None]:
    """The question, and the document that its evidence makes."""
    row = line.row
    listed = row.get("choices")
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise RowError("choices", f"is {str(listed)[:40]!r}", "a list of texts")
    right = texts(row, "answer")
    if not right or not all(each.isdecimal() and int(each) < len(listed) for each in right):
        raise RowError(
            "answer",
            f"is {row.get('answer')!r}",
            f"positions from 0 to {len(listed) - 1}, as texts",
        )
    day = _day(text(row, "question_date")).isoformat()
    name, asked = text(row, "question_id"), _plain(text(row, "question_sentence"))
    evidence = _plain(value(row, "evidence", str, optional=True) or "")
    cited = [{"revision": f"{name}@{day}"}] if evidence else []
    content = {
        "id": name,
        "question": f"{asked} ({' / '.join(map(_plain, listed))})" if with_choices else asked,
        "as_of": day,
        "cluster": name,
        "answers": [
            {"text": _plain(listed[int(each)]), "valid_from": day, "evidence": cited}
            for each in right
        ],
        "tags": [text(row, "question_source")] if row.get("question_source") else [],
    }
    if not evidence:
        return Line(line.file, line.number, content), None
    title = str(row.get("question_source") or name)
    document = {"document": name, "title": title, "text": evidence, "valid_from": day}
    return Line(line.file, line.number, content), Line(line.file, line.number, document)


def _plain(marked: str) -> str:
    """The text without its HTML."""
    return " ".join(html.unescape(_MARKUP.sub("", marked)).split())


def _day(written: str) -> date:
    day = parse_date(written.replace("/", "-"))
    if day is None:
        raise RowError("question_date", f"is {written!r}", "a day as 2023/01/05")
    return day
