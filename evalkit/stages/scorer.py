"""Scores by trace, kept in the store: a metric is computed again only where something changed."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from evalkit import __version__
from evalkit.configuration.assemble import Experiment
from evalkit.progress import Progress
from evalkit.records import Passage, Question, Sample, Score, Trace
from evalkit.scoring import METRICS, Judge, parse, score
from evalkit.stages.preparing import content_hash
from evalkit.store import Rows, Store, Writer

SCORES_VERSION = "1"
_Known = Mapping[str, list[Any]]
"""By metric: its version, then status, value, label and reason of the score."""


class Scorer:
    """Every metric on the traces of an experiment.

    Scores are stored by everything that a metric sees (the question, the whole trace, the parsed
    output, the corpus, the judge), each with the version of its metric. What failed is not stored.
    A judge that keeps its judgments itself is always asked, so that it can account for them.

    Args:
        experiment: Gives the questions, the documents and the format specification.
        judge: Decides support.
        store: Where scores are kept; None keeps none.
    """

    def __init__(self, experiment: Experiment, judge: Judge, store: Store | None = None) -> None:
        benchmark = experiment.benchmark
        self._judge = judge
        self._questions = {question.id: question for question in benchmark.questions}
        self._revisions = benchmark.corpus.by_id
        self._spec = benchmark.format
        self._free = type(benchmark.format)(abstention=benchmark.format.abstention)
        self._rows: Rows | None = None
        if store is not None and "stored" not in experiment.config["judge"]:
            self._rows = store.rows("scores", score_inputs(experiment, judge))

    def samples(self, traces: Sequence[Trace]) -> list[Sample]:
        """What metrics see of ``traces``, in their order."""
        return [self._sample(trace) for trace in traces]

    def scores(self, samples: Sequence[Sample]) -> Iterator[list[Score]]:
        """The scores of each sample, in order; several at once where the judge waits for a server."""
        keys = [_key(sample) for sample in samples] if self._rows else [""] * len(samples)
        stored = self._rows.get(keys) if self._rows else {}
        known = {key: _unpacked(text) for key, text in stored.items()}

        def scored(i: int) -> list[Score]:
            return self._completed(samples[i], known.get(keys[i], {}))

        with Writer(self._keep) as writer:
            for i, found in enumerate(self._mapped(scored, len(samples))):
                if not _is_known(known.get(keys[i], {})) and _worth_keeping(found):
                    writer.add(keys[i], found)
                yield found

    def close(self) -> None:
        """Let go of the store's file."""
        if self._rows is not None:
            self._rows.close()

    def _sample(self, trace: Trace) -> Sample:
        question = self._questions[trace.question]
        spec = self._spec if question.format == "default" else self._free
        return Sample(question, trace, spec, self._revisions, parse(trace.output, spec))

    def _completed(self, sample: Sample, known: _Known) -> list[Score]:
        """What is known, and what is not from the metrics themselves."""
        missing = [
            name for name, each in METRICS.items() if not _current(known, name, each.version)
        ]
        new = {each.metric: each for each in score(sample, self._judge, missing)} if missing else {}
        trace = sample.trace
        return [new.get(name) or _revived(trace, name, known[name]) for name in METRICS]

    def _mapped(self, scored: Callable[[int], list[Score]], count: int) -> Iterator[list[Score]]:
        workers = int(getattr(self._judge, "concurrency", 1))
        if workers == 1:
            yield from (scored(i) for i in range(count))
            return
        with ThreadPoolExecutor(workers) as pool:
            try:
                yield from pool.map(scored, range(count))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _keep(self, pending: Mapping[str, list[Score]]) -> None:
        if self._rows is not None:
            self._rows.put({key: _packed(scores) for key, scores in pending.items()})


def score_all(
    experiment: Experiment,
    traces: Sequence[Trace],
    judge: Judge,
    progress: Progress,
    store: Store | None = None,
) -> tuple[list[Sample], list[Score]]:
    """Every metric on every trace. One sample per trace, in the order of ``traces``."""
    scorer, scores = Scorer(experiment, judge, store), []
    with progress.stage("score", f"judge {judge.name}", len(traces)) as stage:
        samples = scorer.samples(traces)
        for found in scorer.scores(samples):
            scores.extend(found)
            stage.advance()
    scorer.close()
    return samples, scores


def score_inputs(experiment: Experiment, judge: Judge) -> dict[str, Any]:
    """What scores depend on, beside a trace and the versions of the metrics."""
    benchmark = experiment.benchmark
    return {
        "judge": [judge.name, judge.version],
        "revisions": content_hash([asdict(revision) for revision in benchmark.revisions]),
        "format": asdict(benchmark.format),
        "evalkit": __version__,
        "version": SCORES_VERSION,
    }


def _key(sample: Sample) -> str:
    trace = sample.trace
    passages = trace.retrieved and [(_hash(r.passage), r.score, r.shown) for r in trace.retrieved]
    said = (
        trace.prompt, trace.output, trace.prompt_tokens, trace.output_tokens, trace.finish_reason,
        dict(trace.seconds), trace.error, trace.repeat, trace.tokens_estimated,
    )  # fmt: skip
    parsed = asdict(sample.parsed)
    return content_hash([_hash(sample.question), trace.pipeline, passages, said, parsed])


@lru_cache(maxsize=10_000)
def _hash(record: Question | Passage) -> str:
    return content_hash(asdict(record))


def _revived(trace: Trace, metric: str, known: list[Any]) -> Score:
    _, status, value, label, reason = known
    return Score(trace.question, trace.pipeline, metric, status, value, label, reason, trace.repeat)


def _current(known: _Known, name: str, version: str) -> bool:
    return name in known and known[name][0] == version


def _is_known(known: _Known) -> bool:
    return all(_current(known, name, each.version) for name, each in METRICS.items())


def _worth_keeping(scores: Sequence[Score]) -> bool:
    return all(each.status != "failed" for each in scores)


def _packed(scores: Sequence[Score]) -> str:
    """Compressed, to a fifth: most of it is the names of metrics and the reasons for no value."""
    rows = {
        each.metric: [
            METRICS[each.metric].version,
            each.status,
            each.value,
            each.label,
            each.reason,
        ]
        for each in scores
    }
    text = json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return b64encode(zlib.compress(text, 1)).decode("ascii")


def _unpacked(text: str) -> dict[str, list[Any]]:
    plain = zlib.decompress(b64decode(text)).decode("utf-8", "surrogatepass")
    found: dict[str, list[Any]] = json.loads(plain)
    return found
