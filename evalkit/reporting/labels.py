"""What metrics are called in a report, which way is better, and which rows a scorecard has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Label:
    """A metric in words.

    ``name`` heads a row, ``phrase`` stands in a sentence ("retrieval raised {phrase} by ..."),
    ``absent`` says why a cell can be not applicable where the pipeline itself does not say it.
    """

    name: str
    phrase: str
    direction: Direction = "higher"
    absent: str = "no question defines it"
    needs_retrieval: bool = False


_NO_EVIDENCE = "no question names evidence"
_NO_TIME = "no question is time-sensitive"
_NOTHING_WITHDRAWN = "no answer was withdrawn"
_NO_CITATION = "the format asks for no citation"
_NO_CONTROL = "the benchmark has no control questions"

LABELS: dict[str, Label] = {
    "faithfulness/retrieval/context_recall": Label(
        "context recall", "context recall", absent=_NO_EVIDENCE, needs_retrieval=True
    ),
    "faithfulness/retrieval/context_precision": Label(
        "context precision", "context precision", absent=_NO_EVIDENCE, needs_retrieval=True
    ),
    "faithfulness/retrieval/precision": Label(
        "precision at k", "precision at k", absent=_NO_EVIDENCE, needs_retrieval=True
    ),
    "faithfulness/retrieval/hit": Label(
        "hit at k", "the share of questions with a hit", absent=_NO_EVIDENCE, needs_retrieval=True
    ),
    "faithfulness/retrieval/mrr": Label(
        "MRR", "mean reciprocal rank", absent=_NO_EVIDENCE, needs_retrieval=True
    ),
    "faithfulness/retrieval/map": Label(
        "MAP", "mean average precision", absent=_NO_EVIDENCE, needs_retrieval=True
    ),
    "faithfulness/retrieval/ndcg": Label(
        "nDCG at k", "nDCG at k", absent=_NO_EVIDENCE, needs_retrieval=True
    ),
    "faithfulness/generation/context_utilisation": Label(
        "context utilisation", "context utilisation", needs_retrieval=True
    ),
    "faithfulness/generation/noise_sensitivity_relevant": Label(
        "noise taken from evidence",
        "wrong statements taken from passages with evidence",
        "lower",
        absent=_NO_EVIDENCE,
        needs_retrieval=True,
    ),
    "faithfulness/generation/noise_sensitivity_irrelevant": Label(
        "noise taken from elsewhere",
        "wrong statements taken from passages without evidence",
        "lower",
        absent=_NO_EVIDENCE,
        needs_retrieval=True,
    ),
    "faithfulness/generation/faithfulness": Label(
        "faithful to passages", "faithfulness to the passages shown", needs_retrieval=True
    ),
    "faithfulness/generation/groundedness": Label(
        "grounded in evidence", "groundedness in the reference evidence", absent=_NO_EVIDENCE
    ),
    "format/retrieval/contract_strict": Label(
        "contract, strict", "the strict context contract", needs_retrieval=True
    ),
    "format/retrieval/contract_loose": Label(
        "contract, loose", "the loose context contract", needs_retrieval=True
    ),
    "format/generation/strict": Label(
        "answer format, strict", "strictly well-formed answers", absent="answers are free text"
    ),
    "format/generation/loose": Label(
        "answer format, loose", "loosely well-formed answers", absent="answers are free text"
    ),
    "format/generation/instructions_strict": Label(
        "instructions met, strict", "the share of instructions met, strict"
    ),
    "format/generation/instructions_loose": Label(
        "instructions met, loose", "the share of instructions met, loose"
    ),
    "format/generation/correct_given_compliance": Label(
        "correct if well-formed",
        "correct answers among well-formed ones",
        absent="no answer was well-formed",
    ),
    "freshness/retrieval/current_recall": Label(
        "current evidence found",
        "recall of current evidence",
        absent=_NO_TIME,
        needs_retrieval=True,
    ),
    "freshness/retrieval/stale_rate": Label(
        "stale passages", "the share of stale passages", "lower", needs_retrieval=True
    ),
    "freshness/retrieval/stale_above_current": Label(
        "stale above current",
        "stale passages ranked above current ones",
        "lower",
        absent="no stale passage competed with a current one",
        needs_retrieval=True,
    ),
    "freshness/retrieval/lag_days": Label(
        "lag, days", "the lag of passages", "lower", needs_retrieval=True
    ),
    "freshness/generation/current": Label("current answers", "current answers", absent=_NO_TIME),
    "freshness/generation/outdated": Label(
        "outdated answers", "outdated answers", "lower", absent=_NO_TIME
    ),
    "freshness/retrieval/leak_rate": Label(
        "withdrawn passages", "the share of withdrawn passages", "lower", needs_retrieval=True
    ),
    "freshness/generation/leak": Label(
        "withdrawn answers given", "withdrawn answers given", "lower", absent=_NOTHING_WITHDRAWN
    ),
    "freshness/generation/leak_given_retrieved": Label(
        "withdrawn answers given, evidence found",
        "withdrawn answers given where their evidence was retrieved",
        "lower",
        absent="no withdrawn evidence was retrieved",
        needs_retrieval=True,
    ),
    "freshness/generation/leak_given_missed": Label(
        "withdrawn answers given, from weights",
        "withdrawn answers given where their evidence was not retrieved",
        "lower",
        absent=_NOTHING_WITHDRAWN,
    ),
    "freshness/generation/memory_over_evidence": Label(
        "memory over evidence",
        "past answers given from memory against current evidence",
        "lower",
        absent="current evidence was never shown alone",
        needs_retrieval=True,
    ),
    "correctness/generation/correct": Label(
        "correct", "correct answers", absent="no question has an answer"
    ),
    "correctness/generation/exact_match": Label("exact match", "exact matches"),
    "correctness/generation/token_f1": Label("token F1", "token F1"),
    "correctness/generation/contains": Label("contains the answer", "answers that contain the key"),
    "correctness/generation/value_match": Label(
        "value matches", "matching values", absent="no answer is a value"
    ),
    "correctness/generation/factual": Label(
        "factual correctness (ragas)", "factual correctness", absent="needs an LLM judge"
    ),
    "correctness/generation/abstention": Label(
        "abstains when due", "abstention when due", absent="every question has an answer"
    ),
    "correctness/generation/over_abstention": Label(
        "abstains wrongly", "wrong abstention", "lower", absent="no question has an answer"
    ),
    "citation/generation/precision": Label(
        "citation precision", "citation precision", absent=_NO_CITATION
    ),
    "citation/generation/recall": Label("citation recall", "citation recall", absent=_NO_CITATION),
    "retention/generation/correct": Label(
        "control questions", "correct control questions", absent=_NO_CONTROL
    ),
    "cost/generation/prompt_tokens": Label("prompt tokens", "prompt tokens", "lower"),
    "cost/generation/output_tokens": Label("output tokens", "output tokens", "neither"),
    "cost/generation/seconds": Label("seconds to generate", "generation time", "lower"),
    "cost/retrieval/seconds": Label(
        "seconds to retrieve", "retrieval time", "lower", needs_retrieval=True
    ),
}
for _kind, _rate in (("current", "higher"), ("outdated", "lower")):
    for _when, _words in (("retrieved", "evidence found"), ("missed", "evidence missed")):
        LABELS[f"freshness/generation/{_kind}_given_{_when}"] = Label(
            f"{_kind}, {_words}",
            f"{_kind} answers where the current evidence was {_when}",
            "higher" if _rate == "higher" else "lower",
            absent=f"the current evidence was never {_when}",
            needs_retrieval=True,
        )

for _state, _words in (
    ("both", "current and superseded evidence"),
    ("stale", "only superseded evidence"),
    ("current", "only current evidence"),
):
    LABELS[f"freshness/generation/outdated_given_{_state}_shown"] = Label(
        f"outdated, {_words} shown",
        f"outdated answers where {_words} was shown",
        "lower",
        absent=f"{_words} was never shown to a question whose answer changed",
        needs_retrieval=True,
    )

# (axis, stage) -> the rows of the printed scorecard, in order.
SCORECARD: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("faithfulness", "retrieval", ("context_recall", "context_precision")),
    ("faithfulness", "generation", ("faithfulness", "groundedness")),
    ("format", "retrieval", ("contract_strict", "contract_loose")),
    ("format", "generation", ("strict", "loose", "correct_given_compliance")),
    ("freshness", "retrieval", ("current_recall", "stale_rate", "stale_above_current", "lag_days")),
    ("freshness", "generation", ("current", "outdated", "leak")),
    ("correctness", "generation", ("correct", "abstention", "over_abstention")),
    ("citation", "generation", ("precision", "recall")),
    ("retention", "generation", ("correct",)),
    ("cost", "retrieval", ("seconds",)),
    ("cost", "generation", ("seconds", "prompt_tokens", "output_tokens")),
)
HEADLINES: tuple[str, ...] = (
    "correctness/generation/correct",
    "correctness/generation/abstention",
    "format/generation/strict",
    "freshness/generation/current",
    "freshness/generation/outdated",
    "faithfulness/generation/groundedness",
    "faithfulness/generation/faithfulness",
    "retention/generation/correct",
)
CONDITIONED: tuple[str, ...] = tuple(
    f"freshness/generation/{name}"
    for name in (
        "outdated_given_retrieved",
        "outdated_given_missed",
        "outdated_given_both_shown",
        "outdated_given_stale_shown",
        "outdated_given_current_shown",
        "memory_over_evidence",
    )
)
"""The outdated rate by what was retrieved (the first two), and by what of it was shown."""
CLASSES: tuple[str, ...] = (
    "current", "mixed", "premature", "outdated", "wrong", "abstained", "failed",
)  # fmt: skip

# Stages at fault, in the order in which a bar shows them, and what they are called.
FAULTS: dict[str, str] = {
    "not_retrieved": "not retrieved",
    "retrieved_stale": "retrieved stale",
    "no_evidence": "no retrieval",
    "memory_overrode_evidence": "memory over evidence",
    "ignored_evidence": "ignored evidence",
    "not_faithful": "not faithful",
    "should_have_abstained": "should have abstained",
    "malformed": "malformed",
    "pipeline_failed": "failed",
    "none": "nothing at fault",
}


def label_of(metric: str) -> Label:
    """The label of a metric; one made from its id where the metric is not known here."""
    name = metric.rsplit("/", 1)[-1].replace("_", " ")
    return LABELS.get(metric, Label(name, name))
