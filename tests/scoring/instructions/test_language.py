"""Language: told offline, and unsure where a few words do not tell."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from evalkit.scoring.instructions import Undecided, check
from evalkit.scoring.instructions.languages import language_of, languages, same_language

SENTENCES = {
    "ar": "تبلغ علاوة الوجبات اثنين وأربعين يورو في اليوم.",
    "de": "Die Verpflegungspauschale beträgt zweiundvierzig Euro am Tag.",
    "en": "The meal allowance is forty-two euros a day.",
    "es": "La dieta de comida es de cuarenta y dos euros al día.",
    "fr": "L'indemnité de repas est de quarante-deux euros par jour.",
    "hi": "भोजन भत्ता प्रतिदिन बयालीस यूरो है।",
    "it": "L'indennità per i pasti è di quarantadue euro al giorno.",
    "ja": "食事手当は一日四十二ユーロです。",
    "ko": "식대는 하루에 사십이 유로입니다.",
    "pt": "O subsídio de refeição é de quarenta e dois euros por dia.",
    "ru": "Суточные на питание составляют сорок два евро.",
    "zh": "每天的餐费补贴是四十二欧元。",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_one_sentence_tells_its_language(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection, each sentence is in its language and in no other."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    text = SENTENCES[code]
    met = [other for other in SENTENCES if not check({"kind": "language", "language": other}, text)]
    assert met == [code]


@pytest.mark.parametrize("text", ["Yes", "ok", "42", "EUR 42", "-", "Oui."])
def test_a_few_letters_are_undecided(text: str) -> None:
    """A guess on one word is no finding: the outcome has a reason, and the user may choose it."""
    instruction = {"kind": "language", "language": "fr"}
    with pytest.raises(Undecided, match="too little text to tell its language; say with `unsure`"):
        check(instruction, text)
    assert check({**instruction, "unsure": "met"}, text) == ""
    assert "too little text" in check({**instruction, "unsure": "not_met"}, text)


def test_gibberish_is_no_language() -> None:
    """Random letters are told from languages, so they meet none."""
    found = language_of("asdkjh qwlkej zxmcn qpwoe lkjasd")
    assert found == "zxx"
    assert found not in languages()


def test_a_variety_is_its_language() -> None:
    """A text told to be Egyptian Arabic is Arabic; Spanish is not Portuguese."""
    assert same_language("ar", "arz")
    assert same_language("zh", "yue")
    assert not same_language("es", "pt")
