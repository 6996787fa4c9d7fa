"""A judge on this machine: whatever the weights, its reply is valid JSON of the response model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from evalkit.scoring.judges.chat import ChatError
from evalkit.scoring.judges.llm import LLMJudge, ReasonedVerdict, Verdict
from evalkit.scoring.judges.local import LocalModel, few_replies


class Colour(BaseModel):
    colour: Literal["red", "green"]
    amount: int


def local(folder: Path, **changes: Any) -> LocalModel:
    settings = {"name": "tiny", "device": "cpu", "dtype": "float32", **changes}
    return LocalModel(folder, "tiny-weights", **settings)


def test_random_weights_give_a_verdict_and_its_probability(tiny_model: Path) -> None:
    """The probability of the reply is that among 0 and 1, so it is at least a half."""
    found = local(tiny_model).ask("Is it so?", Verdict).result()
    assert json.loads(found.reply) == {"verdict": found.value.verdict}
    assert found.probability is not None
    assert 0.5 <= found.probability <= 1


def test_the_verdict_is_what_the_logits_say(tiny_model: Path, monkeypatch: Any) -> None:
    """With the logits of the digits set by hand, the verdict and its probability follow."""
    import torch

    model = local(tiny_model)
    digits = [model._tokens(str(d))[0] for d in (0, 1)]
    for logit, verdict in ((2.0, 1), (-1.0, 0)):
        logits = torch.zeros(264)
        logits[digits[1]] = logit
        monkeypatch.setattr(model, "_forward", lambda ids, cache, logits=logits: (logits, None))
        found = model.ask("?", Verdict).result()
        chance = float(torch.sigmoid(torch.tensor(abs(logit))))
        assert (found.value.verdict, found.probability) == (verdict, pytest.approx(chance))


@pytest.mark.parametrize("seed", [0.7, 1.5])
def test_a_written_reply_fits_the_response_model(tiny_model: Path, seed: float) -> None:
    """A random model at a high temperature writes JSON all the same."""
    found = local(tiny_model, temperature=seed).ask("Which?", Colour).result()
    assert Colour.model_validate_json(found.reply) == found.value


def test_a_reply_that_is_cut_is_an_error_and_not_a_verdict(tiny_model: Path) -> None:
    chat = local(tiny_model, max_new_tokens=12)
    (found,) = LLMJudge(chat, reasons=True).support(["S."], ["T."])
    assert found.supported is None
    assert "cut at judge.chat.max_new_tokens=12" in str(found.error)


def test_a_prompt_too_long_for_the_model_is_an_error(tiny_model: Path) -> None:
    """Nothing is cut off in silence."""
    with pytest.raises(ChatError, match="the model has room for 4096"):
        local(tiny_model).ask("x" * 4000, Verdict).result()


def test_repeats_differ_and_a_rerun_repeats_them(tiny_model: Path) -> None:
    """Sampling has its own random numbers for each time that a prompt is asked."""

    def replies() -> list[str]:
        chat = local(tiny_model, temperature=1.0)
        return [chat.ask("Which?", Colour).result().reply for _ in range(4)]

    first = replies()
    assert len(set(first)) > 1
    assert replies() == first


def test_the_judge_runs_on_it_and_ragas_too(tiny_model: Path) -> None:
    """The local model stands wherever the endpoint does."""
    from ragas.metrics.collections import ContextPrecision

    from evalkit.scoring.judges.ragas_bridge import ragas_llm

    judge = LLMJudge(local(tiny_model, max_new_tokens=1500), reasons=False)
    (found,) = judge.support(["S."], ["T."])
    assert found.supported is (found.score > 0.5)
    llm = ragas_llm(judge)

    class Fixed(BaseModel):
        verdict: Literal[0, 1]

    assert llm.generate("Is it?", Fixed).verdict in (0, 1)
    assert isinstance(ContextPrecision(llm=llm).llm, type(llm))


def test_few_replies_are_those_of_one_closed_choice() -> None:
    assert few_replies(Verdict.model_json_schema()) == ['{"verdict": 0}', '{"verdict": 1}']
    assert few_replies(ReasonedVerdict.model_json_schema()) == []
    assert few_replies(Colour.model_json_schema()) == []
