"""Put every question to the pipelines that share a generator; what is answered stays answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from evalkit.configuration.assemble import Experiment
from evalkit.errors import StoreError
from evalkit.generation.base import Completion, Generator, Request
from evalkit.pipelines import Pipeline
from evalkit.progress import Progress, Stage
from evalkit.records import Message, Question, Retrieved, Trace
from evalkit.stages.preparing import Fetched, content_hash
from evalkit.stages.retrieving import blocks
from evalkit.store import Store, Writer

GENERATION_VERSION = "1"
PROMPTS_VERSION = "1"
AT_ONCE = 2000
"""Questions whose prompts are held at once; an engine sorts and packs within them."""

Fetch = Callable[[str, Sequence[Question]], Fetched]
"""``fetch(context, questions)`` gives what a pipeline with that context is shown."""


def generate(
    experiment: Experiment,
    generator: Generator,
    pipelines: Sequence[Pipeline],
    fetched: Mapping[str, Fetched],
    store: Store,
    progress: Progress,
) -> list[Trace]:
    """One trace per question, pipeline and repeat, for pipelines that share ``generator``."""
    with closing(
        Answers(experiment, generator, pipelines, lambda context, _: fetched[context], store)
    ) as answers:
        answers.complete(progress)
        return list(answers.traces(experiment.benchmark.questions))


class Answers:
    """The answers of pipelines that share a generator, kept in the store and read from there.

    A prompt that occurs twice in a repeat is completed once. Completions are stored as they come;
    a rerun completes only what is missing, and where nothing is, no model and no tokenizer is
    loaded. Engines seed a request by its id, so repeats differ.
    """

    def __init__(
        self,
        experiment: Experiment,
        generator: Generator,
        pipelines: Sequence[Pipeline],
        fetch: Fetch,
        store: Store,
    ) -> None:
        self.pipelines = tuple(pipelines)
        self._experiment = experiment
        self._generator = generator
        self._fetch = fetch
        self._rows = store.rows("generations", {**generator.identity, "stage": GENERATION_VERSION})
        self._count = _Counts(generator, store)
        self._failed: dict[str, Any] = {}  # not stored, so that a rerun tries them again

    @property
    def identity(self) -> dict[str, object]:
        """What identifies the generator."""
        return self._generator.identity

    def complete(self, progress: Progress) -> None:
        """Complete every prompt whose answer is not at hand."""
        questions = self._experiment.benchmark.questions
        total = len(questions) * self._experiment.repeats * len(self.pipelines)
        at_hand = 0
        with progress.stage("generate", " + ".join(p.name for p in self.pipelines), total) as stage:
            # Pipeline by pipeline: a batch's seconds are shared out among its rows, and rows of
            # another pipeline would take a part of them.
            for pipeline in self.pipelines:
                for block in blocks(questions, AT_ONCE):
                    planned = self._planned(pipeline, block)
                    wanted = {_key(p): Request(_key(p), tuple(p.messages)) for p in planned}
                    with self._rows.turn(wanted):  # jobs of a sweep that ask the same ask it once
                        done = self._rows.get(wanted).keys() | self._failed.keys()
                        missing = [request for key, request in wanted.items() if key not in done]
                        at_hand += len(planned) - len(missing)
                        stage.advance(
                            len(planned) - len(missing), f"{at_hand} at hand" if at_hand else ""
                        )
                        self._complete(missing, stage)

    def traces(self, questions: Sequence[Question]) -> Iterator[Trace]:
        """One trace per pipeline, question and repeat, of what was completed before.

        Raises:
            StoreError: An answer that was stored is gone.
        """
        for pipeline in self.pipelines:
            for block in blocks(questions, AT_ONCE):
                planned = self._planned(pipeline, block)
                keys = [_key(plan) for plan in planned]
                done = self._rows.get(set(keys)) | self._failed
                for plan, key in zip(planned, keys, strict=True):
                    if key not in done:
                        raise StoreError(
                            f"{self._rows.path} has lost an answer to question {plan.question.id!r}",
                            todo="run the same command again; it is asked for again",
                        )
                    yield _trace(plan, Completion(**done[key]))

    def close(self) -> None:
        """Let go of the store's files; the generator stays with who made it."""
        self._rows.close()
        self._count.close()

    def _planned(self, pipeline: Pipeline, questions: Sequence[Question]) -> list[_Plan]:
        spec, repeats = self._experiment.benchmark.format, range(self._experiment.repeats)
        fetched = (
            self._fetch(pipeline.context, questions) if pipeline.retrieval else Fetched({}, {})
        )
        planned = []
        for question in questions:
            found = fetched.passages.get(question.id, ())
            messages, marked = pipeline.prepare(question, spec, found, self._count)
            searched = fetched.seconds.get(question.id)
            planned += [_Plan(question, pipeline, messages, marked, searched, n) for n in repeats]
        self._count.keep()
        return planned

    def _complete(self, requests: Sequence[Request], stage: Stage) -> None:
        """Complete ``requests``; what is finished is stored about once a second."""
        if not requests:
            return
        with Writer(self._rows.put) as writer:
            for completion in self._generator.generate(requests):
                if completion.error is None:
                    writer.add(completion.id, asdict(completion))
                else:
                    self._failed[completion.id] = asdict(completion)
                stage.advance()


class _Counts:
    """Tokens of prompts as a generator counts them, stored: a rerun needs no tokenizer."""

    def __init__(self, generator: Generator, store: Store) -> None:
        self._generator = generator
        self._new: dict[str, int] = {}
        inputs = {**generator.identity, "stage": f"prompts-{PROMPTS_VERSION}"}
        self._rows = store.rows("prompts", inputs)

    def __call__(self, messages: list[Message]) -> int:
        key = content_hash(messages)
        if key in self._new:
            return self._new[key]
        found = self._rows.get([key])
        if key not in found:
            self._new[key] = found[key] = self._generator.count_tokens(messages)
        return int(found[key])

    def keep(self) -> None:
        """Store what was counted since."""
        if self._new:
            self._rows.put(self._new)
            self._new = {}

    def close(self) -> None:
        self._rows.close()


@dataclass(frozen=True)
class _Plan:
    """What is to be asked: one question in one pipeline, for the ``repeat``-th time.

    ``searched`` is how long retrieval took, in seconds; None where nothing was searched.
    """

    question: Question
    pipeline: Pipeline
    messages: list[Message]
    marked: tuple[Retrieved, ...] | None
    searched: float | None
    repeat: int


def _key(plan: _Plan) -> str:
    """The first repeat has the key of a run without repeats, whose answers it shares."""
    key = content_hash(plan.messages)
    return key if plan.repeat == 0 else f"{key}-{plan.repeat}"


def _trace(plan: _Plan, completion: Completion) -> Trace:
    seconds = {"generation": completion.seconds}
    if plan.searched is not None:
        seconds["retrieval"] = plan.searched
    return Trace(
        question=plan.question.id, pipeline=plan.pipeline.name, retrieved=plan.marked, prompt=completion.prompt,
        output=completion.text, prompt_tokens=completion.prompt_tokens,
        output_tokens=completion.output_tokens, finish_reason=completion.finish_reason,
        seconds=seconds, error=completion.error, repeat=plan.repeat,
        tokens_estimated=completion.tokens_estimated,
    )  # fmt: skip
