"""The outcome of a gate as JUnit XML, which every hosted CI can show.

One test case per hypothesis. Refuted is a ``failure``. Inconclusive is an ``error`` and not a skip,
since CI shows a suite of skipped tests in green, and a gate that does not know is not green. What
does not apply to either side is ``skipped``. Runs that cannot be compared are one case in error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from evalkit.reporting.claims import Claim, claims
from evalkit.reporting.gate import headline, sides
from evalkit.reporting.labels import label_of

# What XML 1.0 cannot hold, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SUITE, _CASE = "evalkit gate", "the two sides can be compared"


def gate_junit(document: Mapping[str, Any], *, created: str, seconds: float = 0.0) -> str:
    """JUnit XML: ``testsuites``, one ``testsuite``, one ``testcase`` per hypothesis.

    Args:
        document: ``GateResult.document()``.
        created: When the gate was run, ``YYYY-MM-DDTHH:MM:SS``.
        seconds: How long it took.
    """
    suite = ElementTree.Element("testsuite")
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("decision", "reason", "evalkit"):
        _add(properties, "property", name=f"gate.{name}", value=str(document[name]))
    _cases(suite, document)
    _add(suite, "system-out", text="\n".join((headline(document), *sides(document))))
    _add(suite, "system-err", text="\n".join(document["notes"]))
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    shared = {name: str(count) for name, count in counts.items()} | {"time": f"{seconds:.3f}"}
    named = {"name": _SUITE, "package": "evalkit", "id": "0", "hostname": "localhost"}
    suite.attrib.update({**named, "timestamp": created, **shared})
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _cases(suite: ElementTree.Element, document: Mapping[str, Any]) -> None:
    rows = document["hypotheses"]
    for row, claim in zip(rows, claims({"hypotheses": rows, "pipelines": []}), strict=True):
        case = _case(suite, str(row.get("pipeline") or ""), claim.claim)
        if claim.verdict == "refuted":
            _add(case, "failure", _in_words(claim), message=_message(claim), type="refuted")
        elif claim.verdict != "supported":
            _add(case, "error", _in_words(claim), message=_message(claim), type="inconclusive")
    for row in document["not_applicable"]:
        case = _case(suite, row["pipeline"], label_of(row["metric"]).name)
        _add(case, "skipped", message=f"not applicable: {row['reason']}")
    if document["decision"] == "not comparable":
        said = f"{document['reason']}\n{document['todo']}".strip()
        case = _case(suite, "", _CASE)
        _add(case, "error", said, message=str(document["reason"]), type="not comparable")


def _case(suite: ElementTree.Element, pipeline: str, name: str) -> ElementTree.Element:
    classname = ".".join(("evalkit.gate", *([pipeline.replace(" ", "")] if pipeline else [])))
    return _add(suite, "testcase", classname=classname, name=name, time="0.000")


def _message(claim: Claim) -> str:
    effect = (
        f"{claim.effect.strip()} {claim.interval}".strip()
        if claim.value is not None
        else "no effect"
    )
    return "; ".join(part for part in (f"{effect}, must be {claim.needed}", claim.note) if part)


def _in_words(claim: Claim) -> str:
    lines = (
        _message(claim),
        f"p {claim.p}, of the {claim.p_of}",
        claim.n,
        claim.flips,
        claim.decides,
    )
    return "\n".join(line for line in lines if line)


def _add(
    parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    clean = {name: _clean(value) for name, value in attributes.items()}
    made = ElementTree.SubElement(parent, tag, clean)
    if text:
        made.text = _clean(text)
    return made


def _clean(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
