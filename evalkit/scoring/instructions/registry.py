"""The registry of instruction kinds, and the check of one instruction on one text."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, get_type_hints

from evalkit.records import FormatSpecification
from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.limits import Undecided
from evalkit.scoring.instructions.parameters import BOUNDS, Rule, bounds_fault, outside

Checker = Callable[..., str]
Counter = Callable[..., int]


class InstructionError(ValueError):
    """A format instruction that cannot be checked: the specification is at fault."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kind; ``expected`` says in words what it must be."""

    name: str
    expected: str
    required: bool
    default: Any = None


@dataclass(frozen=True)
class Kind:
    """A kind of instruction.

    Attributes:
        name: What stands under ``kind``.
        description: One line: when a text meets it.
        parameters: In the order of the function.
        source: Where the definition comes from.
        counts: What is counted, for kinds with ``at_least``, ``at_most`` and ``exactly``.
        function: Takes the text and the parameters; returns the problem, or for a counting kind
            the count.
        rules: How each parameter is checked.
    """

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    source: str
    counts: str
    function: Callable[..., Any]
    rules: Mapping[str, Rule]


_KINDS: dict[str, Kind] = {}


def instruction(name: str, *, source: str = "evalkit") -> Callable[[Checker], Checker]:
    """Register a function as a kind of instruction.

    The function takes the text, and keyword-only parameters annotated with types of
    `parameters`; it returns what is wrong, an empty string where the text meets it. The first
    line of its docstring describes the kind.

    Raises:
        ValueError: The name is taken.
    """

    def register(function: Checker) -> Checker:
        _add(name, function, source)
        return function

    return register


def counted(name: str, counts: str, *, source: str = "evalkit") -> Callable[[Counter], Counter]:
    """Register a function that counts as a kind with ``at_least``, ``at_most`` and ``exactly``.

    Args:
        name: The kind.
        counts: What is counted, in the singular.
        source: Where the definition comes from.

    Raises:
        ValueError: The name is taken.
    """

    def register(function: Counter) -> Counter:
        _add(name, function, source, counts)
        return function

    return register


def _add(name: str, function: Callable[..., Any], source: str, counts: str = "") -> None:
    if name in _KINDS:
        raise ValueError(f"instruction kind {name!r} is registered already; give another name")
    hints = get_type_hints(function, include_extras=True)
    rules, parameters = {}, []
    for each in list(inspect.signature(function).parameters.values())[1:]:
        rules[each.name] = next(m for m in hints[each.name].__metadata__ if isinstance(m, Rule))
        required = each.default is inspect.Parameter.empty
        default = None if required else each.default
        parameters.append(Parameter(each.name, rules[each.name].expected, required, default))
    if counts:
        rules |= BOUNDS
        parameters += [Parameter(bound, BOUNDS[bound].expected, False) for bound in BOUNDS]
    description = (inspect.getdoc(function) or "").partition("\n")[0]
    _KINDS[name] = Kind(name, description, tuple(parameters), source, counts, function, rules)


@cache
def _all_kinds() -> dict[str, Kind]:
    """Import every file of ``kinds/``, so that each registers what it holds."""
    package = importlib.import_module("evalkit.scoring.instructions.kinds")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return _KINDS


def kinds() -> tuple[Kind, ...]:
    """Every kind of instruction, by name."""
    return tuple(sorted(_all_kinds().values(), key=lambda kind: kind.name))


def check(instruction: Mapping[str, Any], text: str) -> str:
    """What an instruction finds wrong with a text; an empty string where it is met.

    Raises:
        InstructionError: The kind is unknown, a parameter is missing, unknown or malformed.
        Undecided: A time limit passed, the text is too long or too deeply nested, or too short to
            tell its language.
    """
    kind, parameters = _sound(instruction)
    prefix = f"format instruction of kind {kind.name!r}: "
    if len(text) > limits.MAX_CHARACTERS:
        raise Undecided(
            f"{prefix}the text has {len(text)} characters; at most {limits.MAX_CHARACTERS} are read"
        )
    try:
        if kind.counts:
            return _count(kind, text, parameters)
        return str(kind.function(text, **parameters))
    except TimeoutError as error:
        raise Undecided(
            f"{prefix}undecided after {limits.SECONDS} s on a text of {len(text)} characters; "
            "make the pattern or schema less ambiguous"
        ) from error
    except RecursionError as error:
        raise Undecided(f"{prefix}the text is nested too deeply to be checked") from error
    except Undecided as error:
        raise Undecided(f"{prefix}{error}") from error


def faults(spec: FormatSpecification) -> list[str]:
    """What is wrong with the instructions of a specification, one text per faulty instruction.

    Finds before a run what `check` would raise `InstructionError` for: an unknown kind, a missing,
    unknown or malformed parameter, an invalid JSON schema, an invalid regular expression. Empty
    where the specification is sound.
    """
    found = []
    for position, each in enumerate(spec.instructions):
        try:
            _sound(each)
        except InstructionError as error:
            found.append(f"instructions[{position}]: {error}")
    return found


def _sound(instruction: Mapping[str, Any]) -> tuple[Kind, dict[str, Any]]:
    """The kind and the parameters of an instruction without faults.

    Raises:
        InstructionError: It has one.
    """
    parameters = dict(instruction)
    name = parameters.pop("kind", None)
    known = _all_kinds()
    if not isinstance(name, str) or name not in known:
        near = get_close_matches(str(name), known, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise InstructionError(
            f"format instruction of kind {name!r}: unknown{meant}; known kinds: "
            f"{', '.join(sorted(known))}"
        )
    kind = known[name]
    if fault := _names_fault(kind, parameters) or _values_fault(kind, parameters):
        raise InstructionError(f"format instruction of kind {name!r}: {fault}")
    return kind, parameters


def _names_fault(kind: Kind, parameters: Mapping[str, Any]) -> str:
    required = {each.name for each in kind.parameters if each.required}
    optional = {each.name for each in kind.parameters} - required
    missing = sorted(required - parameters.keys())
    unknown = sorted(parameters.keys() - required - optional)
    if not missing and not unknown:
        return ""
    return (
        f"missing parameters {missing}, unknown parameters {unknown}; "
        f"expected {sorted(required)}, optional {sorted(optional)}"
    )


def _values_fault(kind: Kind, parameters: Mapping[str, Any]) -> str:
    for name, value in parameters.items():
        rule = kind.rules[name]
        if not rule.accepts(value):
            return f"{name}={value!r}; expected {rule.expected}"
        if fault := rule.fault(value):
            return f"{name} {fault}"
    return bounds_fault(parameters) if kind.counts else ""


def _count(kind: Kind, text: str, parameters: Mapping[str, Any]) -> str:
    own = {name: value for name, value in parameters.items() if name not in BOUNDS}
    bounds = {name: value for name, value in parameters.items() if name in BOUNDS}
    return outside(kind.function(text, **own), kind.counts, bounds)
