"""Read what a server sends: with status 200 it may send anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalkit.http_calls import CallError


@dataclass(frozen=True)
class Reply:
    """What a server said; token counts are None where it does not tell."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    output_tokens: int | None
    seconds: float


def read(made: Any, seconds: float) -> Reply:
    """The reply in a response that took so long.

    Raises:
        CallError: There is none in it.
    """
    choices = getattr(made, "choices", None)
    if not choices:
        raise CallError("the reply has no choices", passing=True)
    reason = getattr(choices[0], "finish_reason", None) or "stop"
    message = getattr(choices[0], "message", None)
    text = getattr(message, "content", None)
    if text is None:
        text = getattr(message, "refusal", None)
    if reason == "content_filter":
        raise CallError("the server's filter withheld the answer")
    if reason == "length" and text is None and message is not None:
        text = ""  # a model that thinks first spent all its tokens on that
    if not isinstance(text, str):
        raise CallError(f"the reply has no text (finish_reason {reason!r})", passing=True)
    # Half of a surrogate pair can be written nowhere.
    text = text.encode("utf-8", "replace").decode()
    finished = "length" if reason == "length" else "stop"
    return Reply(text, finished, *counts(made), seconds)


def counts(made: Any) -> tuple[int | None, int | None]:
    """Tokens of prompt and reply as the server counts them; None where it does not."""
    usage = getattr(made, "usage", None)
    return _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")


def _count(usage: Any, name: str) -> int | None:
    """No prompt is empty, so a server that says 0 of it does not count."""
    found = getattr(usage, name, None)
    if type(found) is not int or found < 0 or not getattr(usage, "prompt_tokens", 0):
        return None
    return found
