"""``evalkit calibrate``: hold a judge to human labels, and correct its scores by them."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError, EvalkitError
from evalkit.plurals import counted

if TYPE_CHECKING:
    from evalkit.labels.statements import JudgeLabel, JudgeLabels
    from evalkit.scoring import Judge

FEWEST = 20
"""Labels below which nothing is calibrated."""
_HELP = """\
Hold a judge to human labels: how well it ranks, how good its verdicts are, and how its scores map to
probabilities. Writes a calibration that a run applies with judge.calibration=FILE.

  evalkit calibrate judge=offline labels=labels.jsonl
  evalkit calibrate judge=nli judge.weights.id=ORG/NAME labels=labels.csv out=nli.json map=isotonic

LABELS is JSONL, or CSV with a head line, with the fields statement (or response, of several
sentences), texts (or source), label (1 supported, 0 not) and, where rows belong together, group.
"""


def add(commands: Any) -> None:
    """Register the command."""
    calibrate = commands.add_parser(
        "calibrate",
        help="hold a judge to human labels, and correct its scores by them",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    calibrate.add_argument("override", nargs="+", metavar="KEY=VALUE")
    calibrate.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """Print what was found, write the calibration and its reliability curve; 0.

    Raises:
        EvalkitError: The labels cannot be used, the judge cannot be made, or there is nothing to
            calibrate.
    """
    from rich.console import Console

    own = {"labels": "", "out": "", "map": "platt"}
    overrides = []
    for given in options.override:
        key, equals, value = given.partition("=")
        if equals and key in own:
            own[key] = value
        else:
            overrides.append(given)
    if not own["labels"]:
        raise ConfigError("no labels are given", todo="add labels=FILE, a .jsonl or .csv file")
    report = calibrate(overrides, Path(own["labels"]), kind=own["map"])
    out = Path(own["out"] or f"calibration-{_slug(report['judge']['name'])}.json")
    _write(report, out)
    _show(report, out, Console())
    return 0


def calibrate(overrides: Sequence[str], labels: Path, *, kind: str = "platt") -> dict[str, Any]:
    """What is written: the map, the threshold, their quality and where they come from.

    Args:
        overrides: As for ``evalkit run``; what matters of them is ``judge``.
        labels: The file of labels.
        kind: ``platt`` or ``isotonic``.

    Raises:
        EvalkitError: As `run`.
    """
    from evalkit import __version__
    from evalkit.labels.statements import read_judge_labels
    from evalkit.scoring.calibration import SCHEMA

    found = read_judge_labels(labels)
    _refuse_few(len(found.rows), labels)
    judge = _judge(overrides)
    scores, verdicts = _judged(judge, found.rows)
    judged = [place for place, score in enumerate(scores) if score is not None]
    _refuse_few(len(judged), labels, " that the judge did not fail on")
    measured = _measured(
        [float(scores[p] or 0) for p in judged],
        [bool(verdicts[p]) for p in judged],
        [found.rows[p] for p in judged],
        kind,
    )
    return {
        "schema": SCHEMA,
        "evalkit": __version__,
        "judge": {"name": judge.name, "version": judge.version},
        "labels": _provenance(labels, found, failed=len(scores) - len(judged)),
        **measured,
    }


def _judge(overrides: Sequence[str]) -> Judge:
    from evalkit.configuration.assemble import Experiment
    from evalkit.configuration.compose import compose, resolved
    from evalkit.secrets import Redactor, install_log_filter

    config = compose(overrides)
    install_log_filter(Redactor.collect(config))
    return Experiment(resolved(config)).judge_of(calibrated=False)


def _judged(
    judge: Judge, rows: Sequence[JudgeLabel]
) -> tuple[list[float | None], list[bool | None]]:
    """Score and verdict of each row; None where the judge failed. A response has the score of its
    worst sentence.
    """
    from concurrent.futures import ThreadPoolExecutor

    def judged(row: JudgeLabel) -> tuple[float | None, bool | None]:
        stated = _statements(row)
        found = judge.support(stated, row.texts)
        if len(found) != len(stated) or any(each.supported is None for each in found):
            return None, None
        return min(each.score for each in found), all(each.supported for each in found)

    with ThreadPoolExecutor(int(getattr(judge, "concurrency", 1))) as pool:
        pairs = list(pool.map(judged, rows))
    return [score for score, _ in pairs], [verdict for _, verdict in pairs]


def _statements(row: JudgeLabel) -> Sequence[str]:
    from evalkit.scoring.text import sentences

    return (sentences(row.text) or (row.text,)) if row.whole else (row.text,)


def _measured(
    scores: Sequence[float], verdicts: Sequence[bool], rows: Sequence[JudgeLabel], kind: str
) -> dict[str, Any]:
    from evalkit.statistics import calibration as statistics

    labels, groups = [int(row.supported) for row in rows], [row.group for row in rows]
    try:
        fitted = statistics.fit_calibration(scores, labels, groups, kind=kind)
    except statistics.CalibrationError as error:
        raise EvalkitError(f"nothing can be calibrated: {error}") from error
    area = statistics.auroc(scores, labels, groups)
    return {
        "map": dict(fitted.map),
        "threshold": fitted.threshold,
        "auroc": {"value": area.value, "low": area.low, "high": area.high, "method": area.method},
        "cross_fitted": dict(fitted.quality),
        "as_it_is": statistics.verdict_quality(verdicts, labels),
        "reliability": statistics.reliability(fitted.probabilities, labels, groups),
    }


def _provenance(path: Path, found: JudgeLabels, failed: int) -> dict[str, Any]:
    units = sorted({"response" if row.whole else "statement" for row in found.rows})
    return {
        "file": path.name,
        "sha256": found.sha256,
        "n": len(found.rows),
        "supported": sum(row.supported for row in found.rows),
        "failed": failed,
        "groups": len({row.group for row in found.rows}),
        "unit": "+".join(units),
    }


def _refuse_few(count: int, path: Path, what: str = "") -> None:
    if count < FEWEST:
        raise EvalkitError(
            f"{path} has {counted(count, 'label')}{what}, too few to calibrate a judge by",
            todo=f"label at least {FEWEST} statements; 200 and more give a useful curve",
        )


def _write(report: Mapping[str, Any], out: Path) -> None:
    from evalkit.reporting.calibration import save_reliability

    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        out.write_text(text, encoding="utf-8")
        save_reliability(report, out.with_suffix(".svg"))
    except OSError as error:
        raise EvalkitError(
            f"{out} cannot be written: {error.strerror}",
            todo="give a file in a folder that exists with out=FILE",
        ) from error


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


def _show(report: Mapping[str, Any], out: Path, console: Any) -> None:
    from rich.text import Text

    labels, judge, area = report["labels"], report["judge"], report["auroc"]
    bounds = (
        "no interval" if area["low"] is None else f"95 % {area['low']:.2f} to {area['high']:.2f}"
    )
    head = f"{judge['name']}@{judge['version']}: {counted(labels['n'], 'label')} in"
    head += f" {counted(labels['groups'], 'group')}"
    console.print(Text(f"{head}, {labels['supported']} supported", style="bold"))
    if labels["failed"]:
        console.print(Text(f"The judge failed on {labels['failed']} of them.", style="yellow"))
    console.print(Text(f"AUROC {area['value']:.3f} ({bounds})"))
    if area["low"] is not None and area["low"] <= 0.5:
        console.print(
            Text("It may rank no better than chance: the interval holds 0.5.", style="yellow")
        )
    console.print(_quality_table(report))
    fitted = report["cross_fitted"]
    brier = f"{fitted['brier_raw']:.3f} as it is, {fitted['brier']:.3f} calibrated"
    console.print(Text(f"Brier score: {brier} (cross-fitted)\n"))
    console.print(_reliability_table(report))
    if "response" in labels["unit"]:
        console.print(Text(_OF_RESPONSES, style="dim"))
    console.print(
        f"Wrote {out} and {out.with_suffix('.svg').name}. Use it: judge.calibration={out}"
    )


_OF_RESPONSES = (
    "These labels are of whole responses, a response having the score of its worst sentence; a run"
    " judges sentences, for which this map is too strict."
)
_QUALITIES = {
    "f1_of_0": "F1, not supported",
    "f1_of_1": "F1, supported",
    "kappa": "Cohen's kappa",
    "accuracy": "accuracy",
}


def _quality_table(report: Mapping[str, Any]) -> Any:
    table = _table("", "as it is", f"threshold {report['threshold']:.2f}, cross-fitted")
    for key, name in _QUALITIES.items():
        table.add_row(name, f"{report['as_it_is'][key]:.3f}", f"{report['cross_fitted'][key]:.3f}")
    return table


def _reliability_table(report: Mapping[str, Any]) -> Any:
    table = _table("labels", "said", "found", "95 %")
    for row in report["reliability"]:
        known = row["low"] is not None and row["high"] is not None
        bounds = f"{row['low']:.2f} to {row['high']:.2f}" if known else ""
        table.add_row(str(row["n"]), f"{row['said']:.2f}", f"{row['found']:.2f}", bounds)
    return table


def _table(first: str, *others: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(first, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
