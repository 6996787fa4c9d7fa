"""A conversation as the text that a model is given, by its own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from evalkit.errors import EvalkitError

TODAY = datetime(2024, 7, 26)
"""The day that a template is told when it asks for today's (those of Llama 3 do): the one that they
themselves name where there is no clock. By the clock a prompt would be another one every day, and say a day
that has nothing to do with the question's.
"""


def render_chat(tokenizer: Any, messages: Sequence[Mapping[str, Any]]) -> str:
    """The prompt by the tokenizer's chat template, with the assistant's turn opened.

    Raises:
        EvalkitError: The tokenizer has no template.
    """
    if tokenizer.chat_template is None:
        raise EvalkitError(
            "the model's tokenizer has no chat template",
            todo="use an instruction-tuned model, or put chat_template.jinja beside its tokenizer",
        )
    _stop_the_clock()
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
    return str(text)


class _Today(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return TODAY.replace(tzinfo=tz)


def _stop_the_clock() -> None:
    """For templates alone. They call a function of transformers', which takes none in its place."""
    from transformers.utils import chat_template_utils

    library: Any = chat_template_utils
    library.datetime = _Today
