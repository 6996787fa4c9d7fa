"""What a finished run folder tells the tracker: parameters, metrics, tags, tables, files.

Nothing here knows MLflow's client; :mod:`evalkit.tracking.log` sends what this module prepares. All
text passes a :class:`~evalkit.secrets.Redactor` on the way.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from evalkit.secrets import REDACTED, Redactor, looks_secret
from evalkit.tracking.curves import Point, curves
from evalkit.tracking.evidence import findings, numbers, verdict_tags
from evalkit.tracking.store import TrackingError

LONGEST_PARAM = 6000
LONGEST_TAG = 8000
LONGEST_KEY = 250
LONGEST_DIGEST = 36
"""MLflow's limits, in characters (``mlflow.utils.validation``)."""

FILES = ("config.yaml", "manifest.json", "results.json", "questions.json", "scores.parquet",
         "traces.parquet", "scorecard.md", "report.html")  # fmt: skip
TABLES = ("estimates", "by_category", "comparisons", "effects", "hypotheses",
          "variation", "classes", "costs", "timings",
          "differences", "updates", "decisions", "dates", "standings")  # fmt: skip
LATE = frozenset({"timings", "warnings"})
"""Parts of ``results.json`` that change when a run is logged: how long it took, that it failed."""
_MARKUP = frozenset({".html", ".svg", ".xml"})
_TEXT = _MARKUP | {".yaml", ".yml", ".json", ".md", ".txt", ".csv"}


@dataclass(frozen=True)
class RunPayload:
    """What one MLflow run receives; ``metrics`` and ``curves`` hold finite numbers only, ``curves``
    by step.
    """

    name: str
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    curves: dict[str, tuple[Point, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Payload:
    """A comparison (``parent``), its pipelines, and the benchmark they answered.

    ``content`` is a hash of the files that are sent, but for what a run writes after it was logged:
    equal contents need not be sent twice.
    ``started`` is in milliseconds since 1970, ``seconds`` is the run's measured length.
    """

    parent: RunPayload
    pipelines: tuple[RunPayload, ...]
    benchmark: dict[str, Any]
    content: str
    started: int | None = None
    seconds: float = 0.0
    results: dict[str, Any] = field(default_factory=dict, repr=False)


def read(run_dir: Path, redactor: Redactor) -> Payload:
    """Read a run folder.

    Raises:
        TrackingError: there is no such folder, or its ``results.json`` is missing or unreadable.
    """
    results = redactor.redact_data(_results(run_dir))
    config = flatten(redactor.redact_data(_config(run_dir / "config.yaml")))
    tags = _tags(results, _json(run_dir / "manifest.json"))
    note = run_dir / "scorecard.md"
    parent = RunPayload(
        name=run_dir.resolve().name,
        params=config,
        metrics=findings(results),
        tags=tags
        | verdict_tags(results)
        | {"evalkit.signature": _signature(results["estimates"])}
        | ({"mlflow.note.content": redactor.redact(note.read_text())} if note.is_file() else {}),
        curves=curves(results),
    )
    # The numbers of a study over time are curves of the study; its pipelines have no run of their own.
    listed = () if parent.curves else results["pipelines"]
    return Payload(
        parent=_within_limits(parent),
        pipelines=tuple(_pipeline(p, results, config, tags) for p in listed),
        benchmark=dict(results.get("benchmark") or {}),
        content=_content(run_dir),
        started=_milliseconds(results.get("created")),
        seconds=sum(float(t.get("seconds") or 0) for t in results.get("timings") or ()),
        results=results,
    )


def _results(run_dir: Path) -> dict[str, Any]:
    path = run_dir / "results.json"
    if not path.is_file():
        raise TrackingError(
            f"{run_dir} is not a finished run: it has no results.json",
            todo="give the folder that `evalkit run` printed; a run that was interrupted is"
            " finished by the same `evalkit run` command",
        )
    results = _json(path)
    absent = [k for k in ("pipelines", "estimates") if not isinstance(results.get(k), list)]
    if absent:
        raise TrackingError(
            f"{path} has no list {' and no list '.join(map(repr, absent))} (schema version 1)",
            todo="run again with this version of evalkit, or log it with the version that wrote it",
        )
    return results


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TrackingError(
            f"{path} is not JSON: {error}", todo="run again; the file was not written by evalkit"
        ) from error
    return found if isinstance(found, dict) else {}


def _config(path: Path) -> Any:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}


# --- parameters, metrics, tags -----------------------------------------------------------------


def flatten(config: Any, prefix: str = "") -> dict[str, str]:
    """Nested config to ``{"a.b": "value"}``; lists stay whole, as JSON."""
    if not isinstance(config, Mapping) or (prefix and not config):
        return {prefix or "config": _text(config)}
    flat: dict[str, str] = {}
    for key, value in config.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        flat |= {path: REDACTED} if looks_secret(key) and value else flatten(value, path)
    return flat


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def legal_key(name: str) -> str:
    """The name with characters that MLflow refuses (``@``, ``+`` ...) replaced by ``_``."""
    return re.sub(r"[^/\w.\- ]", "_", posixpath.normpath(name))[:LONGEST_KEY]


def cut(text: str, longest: int) -> str:
    """The text, or its beginning with a mark that says how long it was."""
    if len(text) <= longest:
        return text
    mark = f" ... [cut, {len(text)} characters]"
    return text[: longest - len(mark)] + mark


def _within_limits(run: RunPayload) -> RunPayload:
    return RunPayload(
        name=run.name,
        params={legal_key(k): cut(v, LONGEST_PARAM) for k, v in run.params.items()},
        metrics={legal_key(k): v for k, v in run.metrics.items()},
        tags={legal_key(k): cut(v, LONGEST_TAG) for k, v in run.tags.items()},
        curves={legal_key(k): points for k, points in run.curves.items()},
    )


def _pipeline(
    pipeline: Mapping[str, Any],
    results: Mapping[str, Any],
    config: dict[str, str],
    tags: dict[str, str],
) -> RunPayload:
    name = str(pipeline["name"])
    estimates = [e for e in results["estimates"] if e["pipeline"] == name]
    metrics: dict[str, float] = {}
    for estimate in estimates:
        metrics |= numbers(estimate["metric"], estimate, ("low", "high", "n_scored"))
    facts = {f"pipeline.{key}": _text(value) for key, value in pipeline.items()}
    own = {"evalkit.pipeline": name, "evalkit.signature": _signature(estimates)}
    if pipeline.get("description"):
        own["mlflow.note.content"] = str(pipeline["description"])
    return _within_limits(RunPayload(name, config | facts, metrics, tags | own))


def _tags(results: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, str]:
    benchmark = results.get("benchmark") or {}
    environment = results.get("environment") or {}
    revision = manifest.get("git_revision") or environment.get("git_revision")
    tags = {
        "evalkit.version": results.get("evalkit"),
        "evalkit.experiment": results.get("experiment"),
        "evalkit.benchmark": benchmark.get("name"),
        "evalkit.fingerprint": benchmark.get("fingerprint"),
        "evalkit.git_revision": revision,
        "mlflow.source.git.commit": revision,
        "mlflow.source.name": "evalkit",
    }
    return {key: str(value) for key, value in tags.items() if value}


def _signature(estimates: Iterable[Mapping[str, Any]]) -> str:
    signatures = sorted({_text(e["signature"]) for e in estimates if e.get("signature")})
    return signatures[0] if len(signatures) == 1 else json.dumps(signatures)


def _milliseconds(created: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(str(created)).timestamp() * 1000)
    except ValueError:
        return None


# --- files -------------------------------------------------------------------------------------


def _files(run_dir: Path) -> list[Path]:
    """The files that are sent; others in the folder (caches, locks, adapters) stay."""
    named = [run_dir / name for name in FILES if (run_dir / name).is_file()]
    return named + sorted(p for p in (run_dir / "figures").rglob("*") if p.is_file())


def _content(run_dir: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(run_dir):
        content = _settled(path) if path.name == "results.json" else path.read_bytes()
        digest.update(f"{path.relative_to(run_dir).as_posix()}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def _settled(results: Path) -> bytes:
    """``results.json`` without what logging itself adds to it."""
    found = {k: v for k, v in _json(results).items() if k not in LATE}
    return json.dumps(found, sort_keys=True).encode()


def stage(run_dir: Path, payload: Payload, folder: Path, redactor: Redactor) -> None:
    """Write redacted copies of the run's files, and its tables as CSV, into ``folder``."""
    import pandas as pd

    for path in _files(run_dir):
        copy = folder / path.relative_to(run_dir)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy_redacted(path, copy, redactor)
    (folder / "tables").mkdir()
    for name in TABLES:
        if rows := payload.results.get(name):
            pd.json_normalize(rows).to_csv(folder / "tables" / f"{name}.csv", index=False)


def copy_redacted(path: Path, copy: Path, redactor: Redactor) -> None:
    """Copy a file without the secrets in it."""
    if path.suffix == ".parquet":
        _copy_table(path, copy, redactor)
    elif path.suffix in _TEXT:
        # "<" in markup would start a tag, and the mark would not be seen.
        mark = REDACTED.replace("<", "&lt;").replace(">", "&gt;")
        text = path.read_bytes().decode("utf-8", errors="surrogateescape")
        clean = redactor.redact(text, mark if path.suffix in _MARKUP else REDACTED)
        copy.write_bytes(clean.encode("utf-8", errors="surrogateescape"))
    else:
        shutil.copyfile(path, copy)


def _copy_table(path: Path, copy: Path, redactor: Redactor) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    changed = False
    for index, column in enumerate(table.columns):
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            continue
        values = column.to_pylist()
        clean = redactor.redact_data(values)
        if clean != values:
            table = table.set_column(index, table.schema.field(index), pa.array(clean, column.type))
            changed = True
    if changed:
        pq.write_table(table, copy)
    else:
        shutil.copyfile(path, copy)
