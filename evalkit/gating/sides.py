"""One side of a gate: a finished run, or several under other seeds, read from disk or a tracker."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.api import RunResult, open_run
from evalkit.errors import EvalkitError
from evalkit.gating.result import NotComparable

if TYPE_CHECKING:
    import pandas as pd

Source = str | Path | RunResult | Sequence[str | Path | RunResult]
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_SCORE_COLUMNS = (
    "question", "pipeline", "repeat", "metric", "status", "value", "reason", "category", "cluster",
)  # fmt: skip
# What two runs of one configuration under other seeds may differ in.
_MAY_DIFFER = re.compile(
    r"(^|\.)seed$|^(name|title|run_dir|store|prices|tracking|statistics|hypotheses)(\.|$)"
)
_RERUN = "run the experiment again; its answers are in the store"


@dataclass(frozen=True)
class Side:
    """The scores of one side and what made them.

    ``scores`` has the runs of several seeds as repeats. ``texts`` and ``dates`` are of the
    questions, where the run folder has them. ``config`` is the configuration as it was run.
    """

    names: tuple[str, ...]
    results: Mapping[str, Any]
    scores: pd.DataFrame
    config: Mapping[str, Any]
    texts: Mapping[str, str] = field(default_factory=dict)
    signatures: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return ", ".join(self.names)

    @property
    def fingerprint(self) -> str:
        return str(self.results["benchmark"]["fingerprint"])

    @property
    def judge(self) -> str:
        judge = self.results.get("judge") or {}
        return f"{judge.get('name', 'none')}@{judge.get('version', '')}"

    @property
    def pipelines(self) -> list[str]:
        return [str(p["name"]) for p in self.results["pipelines"]]

    def version(self, metric: str) -> str | None:
        """The version of a metric, as the signatures of the run give it; None where they do not."""
        for (_, name), signature in self.signatures.items():
            if name == metric:
                part = f"|{metric}@"
                return signature.partition(part)[2].partition("|")[0] if part in signature else None
        return None

    def description(self) -> dict[str, Any]:
        """What a report says of this side."""
        benchmark = self.results["benchmark"]
        return {
            "runs": list(self.names),
            "experiment": self.results.get("experiment"),
            "model": self.results.get("model"),
            "created": self.results.get("created"),
            "benchmark": benchmark.get("name"),
            "questions": benchmark.get("questions"),
            "fingerprint": self.fingerprint,
            "judge": self.judge,
        }


def load_side(source: Source, uri: str | None = None) -> Side:
    """Read one side: a run folder, an MLflow run id, an opened run, or several of these.

    Args:
        source: Several runs are given as a sequence, or as one text with commas.
        uri: The tracking store that run ids are looked up in.

    Raises:
        NotComparable: Several runs are not of one configuration.
        EvalkitError: A run is not there, not finished or damaged.
    """
    parts = _parts(source)
    labels = [str(part.folder if isinstance(part, RunResult) else part) for part in parts]
    if doubled := sorted({label for label in labels if labels.count(label) > 1}):
        raise EvalkitError(
            f"{doubled[0]} is given twice on one side",
            todo="runs joined by commas are the same configuration under different seeds",
        )
    runs = [_load(part, label, uri) for part, label in zip(parts, labels, strict=True)]
    return runs[0] if len(runs) == 1 else _as_repeats(runs)


def _parts(source: Source) -> list[str | Path | RunResult]:
    if isinstance(source, str):
        split = [source] if Path(source).exists() else source.split(",")
        return [part.strip() for part in split if part.strip()] or [source]
    if isinstance(source, Path | RunResult):
        return [source]
    if not source:
        raise EvalkitError("no run is given on one side", todo="give a run folder")
    return list(source)


@contextmanager
def _opened(part: str | Path | RunResult, uri: str | None) -> Iterator[RunResult]:
    if isinstance(part, RunResult):
        yield part
    elif not Path(part).exists() and _RUN_ID.fullmatch(str(part)):
        from evalkit.tracking.fetch import fetch_run

        with tempfile.TemporaryDirectory(prefix="evalkit-gate-") as folder:
            yield open_run(fetch_run(str(part), Path(folder), uri))
    else:
        yield open_run(part)


def _load(part: str | Path | RunResult, label: str, uri: str | None) -> Side:
    with _opened(part, uri) as run:
        results = _checked(run.results, label)
        scores = _scores(run, label)
        asked = {str(row["question"]): row for row in _questions(run.folder)}
        if "as_of" not in scores.columns and asked:
            scores["as_of"] = scores["question"].map({q: r["as_of"] for q, r in asked.items()})
        return Side(
            names=(label,),
            results=results,
            scores=scores,
            config=_config(run.folder),
            texts={q: str(row["text"]) for q, row in asked.items()},
            signatures={
                (str(e["pipeline"]), str(e["metric"])): str(e.get("signature", ""))
                for e in results["estimates"]
            },
        )


def _checked(results: Any, label: str) -> Mapping[str, Any]:
    from evalkit.reporting.view import checked

    if not isinstance(results, Mapping):
        raise EvalkitError(f"{label}: results.json is damaged: no mapping", todo=_RERUN)
    try:
        checked(results)
    except EvalkitError as error:
        error.rewrite(lambda text: text.replace("results:", f"{label}: results.json:", 1))
        raise
    if kind := results.get("kind"):
        raise EvalkitError(
            f"{label} is a study of the kind {kind}, which asks the same questions several times",
            todo="gate runs, which ask each question on one date; the study's differences between states"
            " are in its report",
        )
    if not isinstance(results.get("benchmark"), Mapping) or not results["benchmark"].get(
        "fingerprint"
    ):
        raise EvalkitError(
            f"{label}: results.json does not say which benchmark it is of (benchmark.fingerprint)",
            todo=_RERUN,
        )
    return results


def _scores(run: RunResult, label: str) -> pd.DataFrame:
    try:
        scores = run.scores.copy()
    except FileNotFoundError:
        raise EvalkitError(f"{label} has no scores.parquet", todo=_RERUN) from None
    except Exception as error:  # pyarrow raises its own and the system's
        raise EvalkitError(f"{label}: scores.parquet is damaged: {error}", todo=_RERUN) from error
    if missing := [c for c in _SCORE_COLUMNS if c not in scores.columns]:
        raise EvalkitError(
            f"{label}: scores.parquet has no column {', '.join(missing)}", todo=_RERUN
        )
    return scores


def _questions(folder: Path) -> list[Mapping[str, Any]]:
    """The questions in words. A run without them is gated all the same, by their ids."""
    try:
        loaded = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
        return [row for row in loaded if {"question", "text", "as_of"} <= set(row)]
    except (OSError, ValueError, TypeError):
        return []


def _config(folder: Path) -> Mapping[str, Any]:
    import yaml

    try:
        loaded = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return loaded if isinstance(loaded, Mapping) else {}


def _as_repeats(runs: Sequence[Side]) -> Side:
    """One side of several runs: the repeats of each follow those of the one before."""
    import pandas as pd

    first = runs[0]
    for other in runs[1:]:
        _refuse_other_configuration(first, other)
    tables, start = [], 0
    for run in runs:
        tables.append(run.scores.assign(repeat=run.scores["repeat"] + start))
        start += int(run.scores["repeat"].max()) + 1
    signatures = {
        key: " & ".join(dict.fromkeys(run.signatures.get(key, "") for run in runs))
        for key in first.signatures
    }
    return Side(
        names=tuple(name for run in runs for name in run.names),
        results=first.results,
        scores=pd.concat(tables, ignore_index=True),
        config=first.config,
        texts=first.texts,
        signatures=signatures,
    )


def _refuse_other_configuration(first: Side, other: Side) -> None:
    for what, a, b in (
        ("the benchmark", first.fingerprint, other.fingerprint),
        ("the judge", first.judge, other.judge),
        ("the pipelines", first.pipelines, other.pipelines),
    ):
        if a != b:
            raise NotComparable(
                f"{first.label} and {other.label} are joined as repeats, but differ in {what}:"
                f" {a} and {b}",
                todo="join only runs of the same configuration under other seeds",
            )
    mine, its = dict(_flat(first.config)), dict(_flat(other.config))
    differing = [k for k in sorted(mine.keys() | its.keys()) if mine.get(k) != its.get(k)]
    if found := [k for k in differing if not _MAY_DIFFER.search(k)]:
        key = found[0]
        raise NotComparable(
            f"{first.label} and {other.label} are joined as repeats, but differ in {key}:"
            f" {mine.get(key)!r} and {its.get(key)!r}",
            todo="join only runs of the same configuration under other seeds",
        )


def _flat(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _flat(value, f"{key}.{name}".lstrip("."))
    else:
        yield key, node
