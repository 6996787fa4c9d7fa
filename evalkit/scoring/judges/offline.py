"""A judge without a language model's opinion: wording, values, small edits, and evidence.

A statement is laid beside the windows of the texts that are nearest to it. What stands there word by
word is supported; a value, name, negation or other small part that differs there is not; a short
statement (a value, a name) must be there whole. What these rules leave open is decided by a
logistic model fitted on human labels, from wording alone or, with a small language model at hand,
from that model's evidence too. See `reports/judges/` for how far to trust it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import ConfigError
from evalkit.scoring.judges.base import Judgment
from evalkit.scoring.judges.blind import blind_kinds
from evalkit.scoring.judges.checks import differences
from evalkit.scoring.judges.claims import (
    Claim,
    added,
    other_fact,
    read_claim,
    reply_value,
    where,
    without_header,
)
from evalkit.scoring.judges.evidence import Evidence, Floats, joined, summarise
from evalkit.scoring.judges.features import features
from evalkit.scoring.judges.model import fitted, probability, response_odds
from evalkit.scoring.judges.source import Source, read
from evalkit.scoring.judges.wording import Wording, wording
from evalkit.scoring.text import tokens
from evalkit.scoring.values import mentions

SHORT = 3
"""Up to so many content words a statement is a value or a name, and must be there whole, unless it is
written as a sentence with some words of its own."""
TELLING = 2
"""Words beside names, values and units that such a sentence has at least."""
_SENTENCE = re.compile(r"\w\W+\w.*[.!?:][\"')*_]*\s*$", re.DOTALL)
CLOSE = {
    "unit": 0.3, "comparison": 0.4, "number": 0.5, "date": 0.5, "modality": 0.65, "negation": 0.65,
    "name": 0.75, "roles": 0.9,
}  # fmt: skip
"""From which share of its other content words in a window on a difference of a kind counts against a
statement: the rarer a kind is between texts that mean the same, the sooner."""
WHOLE = 0.95
"""Share of content words and values in one window that suffices where nothing differs."""
SENTENCE_FIRST = 0.15
"""A pair of sentences must hold so much more of a statement to be preferred to a single one."""
NEAR_BEST = 0.05
"""Windows within this share of the best are candidates: a statement may rest on any of them."""
_LEAD_IN = re.compile(r"(?i)^(?:the )?(?:correct |final )?answer(?: to [^:]{1,80}?)? is:?\s+")
_FIGURES = re.compile(r"\d+")
_REFERENCE = re.compile(
    r"(?i)\b(?:passages?|documents?|steps?|sections?) \d+|^\W*\d+[.)]\s|(?<=\d),(?=\d{3})"
)
"""Where a statement says where it has something from, list marks, and commas between thousands."""
_NOT_OF_VALUES = frozenset({"name", "number", "roles"})
"""Kinds of difference that mean nothing where all words and values of a short statement are there."""
CONTRADICTED = 0.1
"""The strength of support that remains where a small part differs."""


@dataclass(frozen=True)
class _Window:
    """A window that a statement may rest on.

    ``covered`` is the share of the statement's content words and values in it; ``close`` that of
    the words which a small edit would leave: no names, values, days or months.
    """

    window: Wording
    close: float
    covered: float


class OfflineJudge:
    """Decides support by rules on wording and values, and for the rest by a fitted model.

    Deterministic and free of cost. `Judgment.score` is the estimated probability of support if half
    of all statements were supported; 1 and 0 where a rule decides.

    Args:
        evidence: A small language model that reads answers after their sources; None: wording alone.

    Raises:
        ConfigError: The evidence comes from other weights than the coefficients were fitted on.
    """

    def __init__(self, evidence: Evidence | None = None) -> None:
        if evidence is not None and evidence.identity != fitted().identity:
            raise ConfigError(
                f"the offline judge was fitted on the evidence of {fitted().identity!r}, got "
                f"{evidence.identity!r}",
                todo="use those weights under judge.weights, or judge.evidence=false",
            )
        self._evidence = evidence

    @property
    def name(self) -> str:
        """Which kinds of evidence it uses."""
        return "offline-lexical" if self._evidence is None else "offline-lexical+evidence"

    @property
    def version(self) -> str:
        """Of the rules, then of the fitted coefficients."""
        return f"3.{fitted().version}"

    @property
    def blind_to(self) -> tuple[str, ...]:
        """The kinds of change to a supported statement that it does not see well enough."""
        return blind_kinds(self.name)

    def support(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        """Whether the texts support each statement: one judgment each, in order.

        A statement may be a claim (`claims.claim`): then only texts of its source and date count,
        the few words that it adds to its question must be in them, and a value that can be seen to
        be another question's is not supported. A language model that raises makes only the
        statements fail that needed it.
        """
        claims = [read_claim(statement) for statement in statements]
        groups: dict[tuple[str, ...], list[int]] = {}
        for place, found in enumerate(claims):
            groups.setdefault(tuple(where(found, texts) if found else texts), []).append(place)
        judged: dict[int, Judgment] = {}
        for kept, places in groups.items():
            plain = [without_header(text) for text in kept]
            stated = [c.value if (c := claims[p]) else statements[p] for p in places]
            for place, judgment in zip(places, self._judged(stated, plain), strict=True):
                judged[place] = _of_the_question(claims[place], judgment, plain)
        return [judged[place] for place in range(len(statements))]

    def _judged(self, statements: Sequence[str], texts: Sequence[str]) -> list[Judgment]:
        source = read(texts)
        judged = [by_rule(statement, source) for statement in statements]
        open_ones = [i for i, judgment in enumerate(judged) if judgment is None]
        if open_ones:
            try:
                odds = self._odds(statements, source, texts)
            except Exception as error:
                for i in open_ones:
                    said = f"the evidence failed: {type(error).__name__}: {error}"
                    judged[i] = Judgment(None, error=said)
            else:
                for i in open_ones:
                    judged[i] = _by_odds(statements[i], source, odds[i])
        return [judgment for judgment in judged if judgment is not None]

    def unsupported_odds(self, statements: Sequence[str], texts: Sequence[str]) -> float | None:
        """Log-odds that a whole answer holds something unsupported; None without statements.

        By the fitted model alone, to rank answers; `support` decides on statements.
        """
        if not statements:
            return None
        plain = [without_header(text) for text in texts]
        source = read(plain)
        return response_odds(self._odds(statements, source, plain), bool(source.attributes))

    def _odds(self, statements: Sequence[str], source: Source, texts: Sequence[str]) -> list[float]:
        seen: Sequence[Floats | None] = [None] * len(statements)
        heads: Sequence[Floats | None] = seen
        if self._evidence is not None:
            found = self._evidence.read("\n\n".join(texts), joined(statements))
            if found is not None:
                seen, heads = (list(rows) for rows in summarise(statements, found))
        rows = zip(features(statements, source), seen, heads, strict=True)
        return [fitted().odds(*row) for row in rows]


def by_rule(statement: str, source: Source) -> Judgment | None:
    """The judgment of the rules alone on a sentence or a value, or None where they leave it open."""
    statement = _LEAD_IN.sub("", statement)
    w = wording(statement)
    if len(w.content) <= SHORT:
        whole = _whole(statement, source)
        telling = w.content - w.replaceable
        if whole.supported or len(telling) < TELLING or not _SENTENCE.search(statement):
            return whole
    near = _nearest(w, source)
    if not near:
        return Judgment(False, 0.0)
    if _unknown_values(w, source):
        return Judgment(False, CONTRADICTED, near[0].window.text)
    agreeing = [c for c in near if not _contradicts(c, statement)]
    if not agreeing:
        return Judgment(False, CONTRADICTED, near[0].window.text)
    if any(c.covered >= WHOLE for c in agreeing):
        return Judgment(True, 1.0, agreeing[0].window.text)
    return None


def _of_the_question(found: Claim | None, judgment: Judgment, texts: Sequence[str]) -> Judgment:
    """The judgment on a claim, unless what it adds to its question is not in the texts, or its value is
    the answer to another question there.
    """
    if found is None or found.question is None or not judgment.supported:
        return judgment
    new, source = added(found.value, found.question), read(texts)
    if len(new) > SHORT:
        return judgment
    known = new & (source.content | source.values)
    if (value := reply_value(found.value, found.question)) is not None:
        other = other_fact(value, found.question, texts)
        if other is not None:
            return Judgment(False, CONTRADICTED, other)
        known |= added(" ".join(value.written), found.question)
    # What repeats the question is near to the texts whatever it replies.
    if 2 * len(known) < len(new):
        return Judgment(False, CONTRADICTED, judgment.evidence)
    return judgment


def _unknown_values(statement: Wording, source: Source) -> bool:
    """Whether a number in figures stands nowhere in the texts. Number words count what is told of."""
    figures = {
        figure.lstrip("0") for figure in _FIGURES.findall(_REFERENCE.sub("", statement.text))
    }
    return any(
        figures & {figure.lstrip("0") for figure in _FIGURES.findall(value)}
        for value in statement.values - source.values
    )


def _contradicts(candidate: _Window, statement: str) -> bool:
    found = differences(statement, candidate.window.text)
    return any(candidate.close >= CLOSE[kind] for kind in found)


def _by_odds(statement: str, source: Source, odds: float) -> Judgment:
    near = _nearest(wording(statement), source)
    evidence = near[0].window.text if near else ""
    return Judgment(odds < 0, probability(-odds), evidence)


def _whole(statement: str, source: Source) -> Judgment:
    """A short statement: its value, in whatever unit, or all of its words and values in one window."""
    needle = tokens(statement)
    w = wording(statement)
    wanted = w.content | w.values
    best, evidence = 0.0, ""
    for window in source.windows:
        if mentions(needle, tokens(window.text)):
            return Judgment(True, 1.0, window.text)
        share = len(wanted & (window.content | window.values)) / len(wanted) if wanted else 0.0
        if share == 1.0 and not differences(statement, window.text) - _NOT_OF_VALUES:
            return Judgment(True, 1.0, window.text)
        if share > best:
            best, evidence = share, window.text
    return Judgment(False, min(best, 1.0) * CONTRADICTED, evidence)


def _nearest(statement: Wording, source: Source) -> list[_Window]:
    """The windows that share most with a statement, best first; of equals the shorter one."""
    single, double = (_shared(statement, pool) for pool in (source.singles, source.doubles))
    best = double[0].covered if double else 0.0
    if single and single[0].covered >= best - SENTENCE_FIRST:
        double = [c for c in double if c.covered >= WHOLE > single[0].covered]
    found = sorted(single + double, key=_by_share)
    return [c for c in found if c.covered >= found[0].covered - NEAR_BEST]


def _shared(statement: Wording, windows: Sequence[Wording]) -> list[_Window]:
    wanted = statement.content | statement.values
    plain = frozenset(k for k in statement.content if k not in statement.replaceable)
    found = [
        _Window(
            window,
            len(plain & window.content) / max(1, len(plain)),
            (len(wanted & window.content) + len(wanted & window.values)) / len(wanted),
        )
        for window in windows
        if wanted and wanted & (window.content | window.values)
    ]
    return sorted(found, key=_by_share)


def _by_share(candidate: _Window) -> tuple[float, int, str]:
    return -candidate.covered, len(candidate.window.stems), candidate.window.text
