"""IFEval's 25 instructions (Zhou et al. 2023, arXiv 2311.07911) as instructions of ours.

`from_ifeval` takes what a line of IFEval's data holds: ``instruction_id_list`` and ``kwargs``.
Checked strictly and loosely, they give IFEval's numbers; see `evalkit.scoring.format`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evalkit.scoring.instructions.registry import InstructionError

Arguments = Mapping[str, Any]
_CODES = {"zh-cn": "zh", "zh-tw": "zh", "nb": "no"}
_ENGLISH = {"language": "en", "unsure": "not_met"}
"""IFEval's identifier always names a language, and on a few words rarely the right one."""
_ANSWERS = ["My answer is yes.", "My answer is no.", "My answer is maybe."]


def from_ifeval(
    instruction_ids: Sequence[str], arguments: Sequence[Arguments]
) -> tuple[dict[str, Any], ...]:
    """One instruction for each of IFEval's, in order.

    Args:
        instruction_ids: Such as ``"length_constraints:number_words"``.
        arguments: The keyword arguments of each; those that are None are left out.

    Raises:
        InstructionError: An id is unknown, an argument is missing, or the lists differ in length.
    """
    if len(instruction_ids) != len(arguments):
        raise InstructionError(
            f"IFEval line with {len(instruction_ids)} instruction ids and {len(arguments)} kwargs; "
            "expected as many of one as of the other"
        )
    pairs = zip(instruction_ids, arguments, strict=True)
    return tuple(_one(identifier, given) for identifier, given in pairs)


def _one(identifier: str, arguments: Arguments) -> dict[str, Any]:
    if identifier not in IFEVAL:
        raise InstructionError(
            f"IFEval instruction {identifier!r}: unknown; known ids: {', '.join(sorted(IFEVAL))}"
        )
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        return IFEVAL[identifier](given)
    except KeyError as error:
        raise InstructionError(
            f"IFEval instruction {identifier!r}: argument {error} is missing; given {sorted(given)}"
        ) from error


def _bounds(arguments: Arguments, count: str, relation: str = "relation") -> dict[str, int]:
    number, related = int(arguments[count]), arguments[relation]
    if related == "at least":
        return {"at_least": number}
    if related == "less than" and number > 0:
        return {"at_most": number - 1}
    raise InstructionError(
        f"IFEval relation {related!r} with {number}; expected 'at least', or 'less than' a number "
        "above 0"
    )


IFEVAL: dict[str, Callable[[Arguments], dict[str, Any]]] = {
    "keywords:existence": lambda a: {
        "kind": "required_phrases",
        "phrases": a["keywords"],
        "whole_words": False,
    },
    "keywords:frequency": lambda a: {
        "kind": "phrase",
        "phrase": a["keyword"],
        "whole_words": False,
        **_bounds(a, "frequency"),
    },
    "keywords:forbidden_words": lambda a: {
        "kind": "forbidden_phrases",
        "phrases": a["forbidden_words"],
    },
    "keywords:letter_frequency": lambda a: {
        "kind": "letter",
        "letter": a["letter"],
        **_bounds(a, "let_frequency", "let_relation"),
    },
    "language:response_language": lambda a: {
        "kind": "language",
        "language": _CODES.get(a["language"], a["language"]),
        "unsure": "not_met",
    },
    "length_constraints:number_sentences": lambda a: {
        "kind": "sentences",
        **_bounds(a, "num_sentences"),
    },
    "length_constraints:number_paragraphs": lambda a: {
        "kind": "parts",
        "separator": "***",
        "count": a["num_paragraphs"],
    },
    "length_constraints:number_words": lambda a: {"kind": "words", **_bounds(a, "num_words")},
    "length_constraints:nth_paragraph_first_word": lambda a: {
        "kind": "paragraph_first_word",
        "word": a["first_word"],
        "paragraph": a["nth_paragraph"],
        "paragraphs": a["num_paragraphs"],
    },
    "detectable_content:number_placeholders": lambda a: {
        "kind": "placeholders",
        "at_least": a["num_placeholders"],
    },
    "detectable_content:postscript": lambda a: {
        "kind": "postscript",
        "marker": a["postscript_marker"],
    },
    "detectable_format:number_bullet_lists": lambda a: {
        "kind": "bullets",
        "exactly": a["num_bullets"],
    },
    "detectable_format:constrained_response": lambda a: {"kind": "choice", "options": _ANSWERS},
    "detectable_format:number_highlighted_sections": lambda a: {
        "kind": "highlights",
        "at_least": a["num_highlights"],
    },
    "detectable_format:multiple_sections": lambda a: {
        "kind": "sections",
        "marker": a["section_spliter"],
        "at_least": a["num_sections"],
    },
    "detectable_format:json_format": lambda a: {"kind": "json", "fenced": True},
    "detectable_format:title": lambda a: {"kind": "title"},
    "combination:two_responses": lambda a: {
        "kind": "parts",
        "separator": "******",
        "count": 2,
        "distinct": True,
    },
    "combination:repeat_prompt": lambda a: {
        "kind": "starts_with",
        "phrase": a["prompt_to_repeat"],
    },
    "startend:end_checker": lambda a: {"kind": "ends_with", "phrase": a["end_phrase"]},
    "startend:quotation": lambda a: {"kind": "quoted"},
    "change_case:capital_word_frequency": lambda a: {
        "kind": "capital_words",
        **_bounds(a, "capital_frequency", "capital_relation"),
    },
    "change_case:english_capital": lambda a: {"kind": "letter_case", "case": "upper", **_ENGLISH},
    "change_case:english_lowercase": lambda a: {"kind": "letter_case", "case": "lower", **_ENGLISH},
    "punctuation:no_comma": lambda a: {"kind": "forbidden_phrases", "phrases": [","]},
}
"""IFEval's instruction id -> the instruction of ours, given its arguments."""
