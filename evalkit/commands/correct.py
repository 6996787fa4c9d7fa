"""``evalkit correct``: what a judge's numbers become in the light of human labels."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import EvalkitError
from evalkit.plurals import counted

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from evalkit.benchmarks.lines import Problem

SCHEMA = 1
_HELP = """\
Correct a judge's numbers with human labels for some of a run's answers.

  evalkit correct runs/quartet --labels labels.csv
  evalkit correct runs/quartet --labels labels.csv --metric faithfulness/generation/groundedness

LABELS is CSV with a head line, or JSONL, with the fields question, pipeline, metric and value: 0, 1
or a share between them. A row without a value counts as not labelled yet, other fields are passed
over. With repeats, a label stands for the mean over a question's answers. Label a random draw of
questions, the same ones for every pipeline: then differences can be corrected too.
"""
_SHOWN = 20


def add(commands: Any) -> None:
    """Register the command."""
    correct = commands.add_parser(
        "correct",
        help="correct a judge's numbers with human labels for some answers",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    correct.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    correct.add_argument("--labels", type=Path, required=True, metavar="FILE")
    correct.add_argument("--metric", metavar="ID", help="labels without a metric are of this one")
    correct.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    correct.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Print judged against corrected values; 0.

    Raises:
        EvalkitError: The run or the labels cannot be used; it lists them by file and line.
    """
    from rich.console import Console

    found = corrections(options.run_dir, options.labels, options.metric)
    _show(found, Console())
    if options.json is not None:
        _write(found, options.json)
    return 0


def corrections(run_dir: Path, labels: Path, metric: str | None = None) -> dict[str, Any]:
    """What :func:`run` prints, as a mapping that ``json.dumps`` takes.

    Returns:
        ``schema, run, labels`` (the file), ``confidence, assumption, notes, means, differences``;
        the rows of the last two are those of :func:`evalkit.statistics.corrections.correct_scores`.

    Raises:
        EvalkitError: As :func:`run`.
    """
    from evalkit.api import open_run
    from evalkit.statistics import ScoresTableError, records
    from evalkit.statistics.corrections import correct_scores
    from evalkit.statistics.prediction_powered import ASSUMPTION

    result = open_run(run_dir)
    try:
        scores = result.scores
    except (OSError, ValueError) as error:
        raise EvalkitError(
            f"{run_dir / 'scores.parquet'} cannot be read: {error}",
            todo="run the experiment again; its answers are in the store",
        ) from error
    table, notes = _labels(labels, metric, scores)
    settings = {"confidence": 0.95, **(result.results.get("statistics") or {})}
    chosen = {k: v for k, v in settings.items() if k in ("confidence", "resamples", "seed")}
    order = [pipeline["name"] for pipeline in result.results["pipelines"]]
    try:
        means, differences = correct_scores(scores, table, order, **chosen)
    except ScoresTableError as error:
        raise EvalkitError(f"the scores of {run_dir} cannot be used: {error}") from error
    return {
        "schema": SCHEMA,
        "run": str(run_dir),
        "labels": str(labels),
        "confidence": chosen["confidence"],
        "assumption": ASSUMPTION,
        "notes": notes,
        "means": records(means),
        "differences": records(differences),
    }


def _labels(path: Path, metric: str | None, scores: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The labels of a file as a table, and what of the file is not in it."""
    import pandas as pd

    from evalkit.labels.answers import read_labels
    from evalkit.statistics.corrections import LABEL_KEYS, label_faults

    if metric is not None:
        _refuse_metric(metric, list(dict.fromkeys(scores["metric"])))
    lines, problems = read_labels(path, metric)
    if problems:
        raise _refusal(path, problems)
    wanted = [x for x in lines if metric in (None, x.row["metric"])]
    labelled = [x for x in wanted if x.row["value"] is not None]
    columns = [*LABEL_KEYS, "value"]
    table = pd.DataFrame([x.row for x in labelled], columns=columns)
    faults = label_faults(scores, table)
    if faults:
        raise _refusal(
            path, [labelled[f.row].problem(f.field, f.message, f.expected) for f in faults]
        )
    if table.empty:
        of_metric = "" if metric is None else f" for {metric}"
        raise EvalkitError(
            f"{path} holds no label{of_metric}",
            todo="fill the field value of some rows with 0, 1 or a share between them",
        )
    notes = [
        _rows(len(lines) - len(wanted), f"of other metrics than {metric}: left aside"),
        _rows(len(wanted) - len(labelled), "without a value: not labelled yet"),
    ]
    return table, [note for note in notes if note]


def _rows(count: int, what: str) -> str:
    return f"{counted(count, 'row')} {what}" if count else ""


def _refuse_metric(metric: str, known: Sequence[str]) -> None:
    from difflib import get_close_matches

    if metric not in known:
        near = get_close_matches(metric, known, n=3, cutoff=0.4) or known[:3]
        raise EvalkitError(
            f"--metric {metric}: the run has no such metric",
            todo=f"give one of its {len(known)}, such as {', '.join(near)}",
        )


def _refusal(path: Path, problems: Sequence[Problem]) -> EvalkitError:
    from evalkit.benchmarks import listing

    return EvalkitError(
        f"the labels in {path} cannot be used\n{listing(problems, _SHOWN)}",
        todo="mend these lines, or take them out; nothing was computed",
    )


def _show(found: Mapping[str, Any], console: Any) -> None:
    from rich.text import Text

    from evalkit.reporting.numbers import percent_of

    means, differences = found["means"], found["differences"]
    bounds = f"{percent_of(found['confidence'])} intervals"
    for metric in dict.fromkeys(row["metric"] for row in means):
        for rows, unit in ((means, "per cent"), (differences, "points")):
            if chosen := [row for row in rows if row["metric"] == metric]:
                console.print(Text(f"{metric}, {unit}, {bounds}", style="bold"))
                console.print(_table(chosen))
    notes = [f"{_name(row)}: {row['note']}" for row in (*means, *differences) if row["note"]]
    notes += [f"{_name(row)}: {text}" for row in means if (text := _unused_words(row))]
    alone = ((_name(row), row["labels_one_side"]) for row in differences)
    notes += [
        f"{pair}: {counted(n, 'question')} labelled in one of the two alone"
        for pair, n in alone
        if n
    ]
    if len(means) > 1 and not differences:
        notes.append("No two pipelines are labelled on one question: no difference is corrected.")
    for note in (*dict.fromkeys(notes), *found["notes"], _LEGEND, found["assumption"]):
        console.print(Text(note, style="dim"))


_LEGEND = (
    "labelled: questions with a label, of those that have a mark. unused: labels of questions that"
    " have none. weight: how far the judge is trusted, from 0 (labels alone) to 1. worth: how many"
    " times as many labels would do as well without the judge."
)
_UNUSED = {
    "labels_failed": "the judge failed",
    "labels_abstained": "the answer abstained",
    "labels_not_applicable": "the metric does not apply",
}


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from evalkit.reporting import numbers

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in ("judged", "corrected", "labelled", "unused", "weight", "worth"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        paired = "a" in row
        value = numbers.signed if paired else numbers.number
        interval = numbers.signed_interval if paired else numbers.interval
        table.add_row(
            Text(_name(row)),
            value(row["judged"]),
            Text(f"{value(row['corrected'])} {interval(row['low'], row['high'])}".strip()),
            f"{row['n_labelled']}/{row['n_labelled'] + row['n_unlabelled']}",
            str(sum(row[key] for key in _UNUSED)),
            f"{row['judge_weight']:.2f}",
            numbers.DASH if row["gain"] is None else f"{row['gain']:.1f}x",
        )
    return table


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['b']} - {row['a']}" if "a" in row else str(row["pipeline"])


def _unused_words(row: Mapping[str, Any]) -> str:
    parts = [f"{row[key]} where {why}" for key, why in _UNUSED.items() if row[key]]
    return f"labels not used: {', '.join(parts)}" if parts else ""


def _write(found: Mapping[str, Any], path: Path) -> None:
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvalkitError(
            f"{path} cannot be written: {error.strerror}",
            todo="give a file in a folder that exists",
        ) from error
