"""Check a benchmark's folder and list every problem, not just the first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.benchmarks.files import Files, read
from evalkit.benchmarks.leaks import training_problems
from evalkit.benchmarks.lines import Problem
from evalkit.benchmarks.rules import corpus_problems, question_problems
from evalkit.benchmarks.schema import FIELDS, OPTIONS_FILE
from evalkit.errors import EvalkitError
from evalkit.plurals import counted

_SHOWN = 20
_FILE_ORDER = (OPTIONS_FILE, *FIELDS)


class BenchmarkError(EvalkitError):
    """A benchmark cannot be used as it is; ``problems`` lists all that is wrong with its files."""

    def __init__(
        self, problem: str, problems: Sequence[Problem] = (), *, todo: str | None = None
    ) -> None:
        super().__init__(problem, todo=todo)
        self.problems = tuple(problems)


def check(folder: str | os.PathLike[str], *, as_of: str | None = None) -> list[Problem]:
    """Every problem of the files in ``folder``, ordered by file and line; empty if it is sound.

    Where a file cannot be read whole, what the others say of it cannot be checked: that comes last,
    in one problem for each of them.

    Args:
        folder: Where ``corpus.jsonl``, ``questions.jsonl`` and perhaps ``training.jsonl`` and
            ``benchmark.json`` lie.
        as_of: The date (``YYYY-MM-DD``) of questions that have none.
    """
    return checked(folder, as_of=as_of)[1]


def checked(
    folder: str | os.PathLike[str], *, as_of: str | None = None
) -> tuple[Files | None, list[Problem]]:
    """What was read and every problem of it; no files where the folder itself is missing."""
    path = Path(folder)
    if not path.is_dir():
        expected = f"a folder that holds {' and '.join(list(FIELDS)[:2])}"
        return None, [Problem(str(path), 0, "", "is not a folder", expected)]
    files = read(path)
    if as_of is not None:
        files = _with_as_of(files, as_of)
    problems = [
        *files.problems,
        *corpus_problems(files),
        *question_problems(files),
        *training_problems(files),
    ]
    causes = [each for each in problems if not each.cause]
    causes.sort(key=lambda each: (_FILE_ORDER.index(each.file), each.line))
    return files, [*causes, *_unchecked(each for each in problems if each.cause)]


def _unchecked(problems: Iterable[Problem]) -> Iterator[Problem]:
    lines: dict[tuple[str, str], set[int]] = {}
    for each in problems:
        lines.setdefault((each.file, each.cause), set()).add(each.line)
    for (file, cause), numbers in sorted(lines.items()):
        message = f"{counted(len(numbers), 'line')} could not be checked against {cause}"
        yield Problem(file, 0, "", message, f"{cause} mended first", cause)


def listing(problems: Sequence[Problem], limit: int | None = None) -> str:
    """The problems for people: ``file:line field: what; expected ...``, then a count."""
    shown = problems if limit is None else problems[:limit]
    lines = [str(problem) for problem in shown]
    if len(shown) < len(problems):
        lines.append(f"... and {len(problems) - len(shown)} more")
    own = sum(not each.cause for each in problems)
    return "\n".join([*lines, counted(own, "problem") if problems else "no problems"])


def benchmark_error(folder: str | os.PathLike[str], problems: Sequence[Problem]) -> BenchmarkError:
    """The error that loading an unsound folder raises: the first problems and the count."""
    return BenchmarkError(
        f"the benchmark in {folder} cannot be used\n{listing(problems, _SHOWN)}",
        problems,
        todo=f"mend the files; `evalkit check {folder}` lists all that is left",
    )


def _with_as_of(files: Files, as_of: str) -> Files:
    return replace(files, options={**files.options, "as_of": as_of})
