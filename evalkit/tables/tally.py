"""What answers took and what became of them, in a few bytes each: the answers themselves are not kept."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evalkit.records import Trace


@dataclass
class Spent:
    """The answers of one pipeline.

    ``seconds`` are the wall seconds of those that did not fail: retrieval and generation, each a
    row's share of its batch.
    """

    answers: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    seconds: array[float] = field(default_factory=lambda: array("d"))
    failed: int = 0
    cut: int = 0
    estimated: int = 0


class Tally:
    """Counts over traces, by pipeline in the order given, then in that of the traces."""

    def __init__(self, pipelines: Iterable[str] = ()) -> None:
        self.spent: dict[str, Spent] = {name: Spent() for name in pipelines}
        self._first_failure = ""

    @classmethod
    def of(cls, traces: Iterable[Trace]) -> Tally:
        """The tally of ``traces``."""
        tally = cls()
        for trace in traces:
            tally.add(trace)
        return tally

    def add(self, trace: Trace) -> None:
        """Count one answer."""
        spent = self.spent.setdefault(trace.pipeline, Spent())
        spent.answers += 1
        spent.prompt_tokens += trace.prompt_tokens
        spent.output_tokens += trace.output_tokens
        spent.cut += trace.finish_reason == "length"
        spent.estimated += trace.tokens_estimated
        if trace.error is None:
            spent.seconds.append(sum(trace.seconds.values()))
            return
        spent.failed += 1
        if not self._first_failure:
            self._first_failure = f"{trace.pipeline}, {trace.question}: {trace.error}"

    def seconds(self, pipeline: str) -> Sequence[float]:
        """Wall seconds per answer of a pipeline; none where it answered nothing."""
        return self.spent[pipeline].seconds if pipeline in self.spent else ()

    def warnings(self, most: int) -> list[str]:
        """What a reader must know before believing the numbers: failed answers, cut ones, and
        guessed counts.

        Args:
            most: The tokens at which an answer is cut.
        """
        every = self.spent.values()
        total = sum(each.answers for each in every)
        found = []
        if failed := sum(each.failed for each in every):
            found.append(f"{failed} of {total} answers failed; the first: {self._first_failure}")
        if cut := sum(each.cut for each in every):
            listed = ", ".join(
                f"{name} {each.cut}" for name, each in self.spent.items() if each.cut
            )
            found.append(
                f"{cut} of {total} answers were cut at model.decoding.max_new_tokens={most} ({listed})"
            )
        if guessed := sum(each.estimated for each in every):
            found.append(
                f"the numbers of tokens of {guessed} of {total} answers are estimates: the server told none"
            )
        return found
