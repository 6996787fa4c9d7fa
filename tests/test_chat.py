"""A prompt is the same on every day, and without a template there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evalkit.chat import TODAY, render_chat
from evalkit.errors import EvalkitError

sys.path.append(str(Path(__file__).parent / "faulty"))
from byte_tokenizer import byte_tokenizer

SAID = [{"role": "user", "content": "why"}]


@pytest.mark.parametrize(
    "template",
    [
        "{{ strftime_now('%d %b %Y') }}",
        "{% if strftime_now is defined %}{% set day = strftime_now('%d %b %Y') %}{% endif %}{{ day }}",
    ],
)
def test_a_template_that_asks_for_the_day_is_told_the_same_one(template: str) -> None:
    """By the clock, answers that are stored by their messages would be those to yesterday's prompt."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template + "{{ messages[0]['content'] }}"
    assert render_chat(tokenizer, SAID) == f"{TODAY:%d %b %Y}why"


def test_a_tokenizer_without_a_template_is_refused() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(EvalkitError, match="no chat template"):
        render_chat(tokenizer, SAID)
