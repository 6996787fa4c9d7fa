"""YAML that loads safely."""

from __future__ import annotations

from collections import Counter
from typing import Any

from evalkit.scoring.instructions import limits
from evalkit.scoring.instructions.registry import instruction


@instruction("yaml", source="YAML 1.1")
def yaml(text: str) -> str:
    """One YAML mapping or list; no key twice, no aliases, no tags that build objects.

    A bare text is YAML too, so it would say nothing. Aliases are refused: with them a few lines
    grow without bound.
    """
    from yaml import YAMLError

    try:
        return _refusal(text) or _load(text)
    except (YAMLError, ValueError) as error:
        return f"not YAML: {' '.join(str(error).split())[:200]}"


def _refusal(text: str) -> str:
    """Why a text is not loaded. Events come one by one, so a hostile text is left where it shows."""
    from yaml import AliasEvent, parse
    from yaml.events import CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in parse(text, Loader=_loader()):
        if isinstance(event, AliasEvent):
            return f"an alias (*{event.anchor}) is not allowed"
        starts, ends = (
            isinstance(event, CollectionStartEvent),
            isinstance(event, CollectionEndEvent),
        )
        depth += starts - ends
        if depth > limits.MAX_DEPTH:
            return f"nested more than {limits.MAX_DEPTH} deep"
    return ""


def _load(text: str) -> str:
    from yaml import compose, load

    value = load(text, Loader=_loader())  # noqa: S506  (a safe loader)
    if not isinstance(value, dict | list):
        return "no YAML mapping or list, but a bare value"
    repeated = _repeated_key(compose(text, Loader=_loader()))
    return "" if repeated is None else f"not YAML: the key {repeated!r} stands twice in one mapping"


def _repeated_key(root: Any) -> str | None:
    """A key that stands twice in a mapping, which the loader would let pass."""
    from yaml import MappingNode, ScalarNode

    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ScalarNode):
            continue
        if isinstance(node, MappingNode):
            keys = [str(key.value) for key, _ in node.value if isinstance(key, ScalarNode)]
            key, times = Counter(keys).most_common(1)[0] if keys else ("", 1)
            if times > 1:
                return key
            waiting += [value for _, value in node.value]
        else:
            waiting += node.value
    return None


def _loader() -> Any:
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
