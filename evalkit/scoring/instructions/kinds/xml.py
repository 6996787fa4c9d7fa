"""XML that is well-formed, read without entities and document types."""

from __future__ import annotations

from xml.parsers.expat import ExpatError, ParserCreate

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.parameters import Text
from evalkit.scoring.instructions.registry import instruction


class _Refused(Exception):
    """Well-formed or not, this is not read."""


@instruction("xml", source="XML 1.0")
def xml(text: str, *, root: Text = "") -> str:
    """One well-formed XML document without a document type; `root` names its outermost element.

    A document type is refused unread: entities declared in it can grow without bound or name files.
    """
    names: list[str] = []
    depth = 0

    def start(name: str, attributes: object) -> None:
        nonlocal depth
        depth += 1
        names.append(name)
        if depth > limits.MAX_DEPTH:
            raise _Refused(f"nested more than {limits.MAX_DEPTH} deep")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*declaration: object) -> None:
        raise _Refused("a document type is not allowed")

    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.strip(), True)
    except (ExpatError, _Refused, ValueError) as error:
        return f"not well-formed XML: {error}"
    return "" if root in ("", names[0]) else f"the outermost element is {names[0]!r}, not {root!r}"
