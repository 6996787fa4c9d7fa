"""Citation: whether the source that an answer names is evidence in force."""

from __future__ import annotations

import re

from evalkit.records import Revision, Sample
from evalkit.scoring.answers import abstains
from evalkit.scoring.judges.base import Judge
from evalkit.scoring.metric import (
    Result,
    abstained,
    first_reason,
    metric,
    no_evidence,
    not_applicable,
    scored,
    undefined_where,
)
from evalkit.scoring.text import tokens

NOT_ASKED, NOTHING_CITED = "the format asks for no source", "nothing cited"


@undefined_where(NOT_ASKED)
def _no_citation_asked(sample: Sample) -> str | None:
    return None if "source" in sample.format.fields else NOT_ASKED


def cited_sources(sample: Sample) -> tuple[str, ...]:
    """The source ids that an answer names (split at commas and semicolons), each once."""
    parts = re.split(r"[,;]", sample.parsed.source or "")
    return tuple(dict.fromkeys(name for part in parts if (name := part.strip().casefold())))


def supporting(sample: Sample, source: str) -> Revision | None:
    """The evidence revision in force that a cited source names, or None.

    A source may be the id of the document, of the revision, or of a retrieved passage of it. Where
    the format asks for an effective date, the answer's must be the revision's ``valid_from``.
    """
    for revision in sample.reference_evidence():
        names = {revision.document, revision.revision} | {
            item.passage.id
            for item in sample.trace.retrieved or ()
            if item.passage.revision == revision.revision
        }
        if source in {name.casefold() for name in names} and _dated(sample, revision):
            return revision
    return None


def _dated(sample: Sample, revision: Revision) -> bool:
    if "effective" not in sample.format.fields or revision.valid_from is None:
        return True
    dates = re.split(r"[;]|,(?!\s*\d{4}\s*$)", sample.parsed.effective or "")
    return tokens(revision.valid_from.isoformat()) in {tokens(each) for each in dates}


@metric(
    "citation/generation/precision",
    "share of the cited sources that are evidence in force, with the right effective date",
    version="3",
    undefined=(NOTHING_CITED,),
    applies=first_reason(_no_citation_asked, no_evidence),
)
def precision(sample: Sample, judge: Judge) -> Result:
    """Not applicable where nothing is cited; recall counts that as 0."""
    if abstains(sample):
        return abstained()
    cited = cited_sources(sample)
    if not cited:
        return not_applicable(NOTHING_CITED)
    return scored(sum(supporting(sample, source) is not None for source in cited) / len(cited))


@metric(
    "citation/generation/recall",
    "share of the evidence documents that are cited, with the right effective date",
    version="3",
    applies=first_reason(_no_citation_asked, no_evidence),
)
def recall(sample: Sample, judge: Judge) -> Result:
    """A two-document question answered with one source has a recall of one half at best."""
    if abstains(sample):
        return abstained()
    wanted = {revision.document for revision in sample.reference_evidence()}
    found = {r.document for source in cited_sources(sample) if (r := supporting(sample, source))}
    return scored(len(found) / len(wanted))
