"""A judge behind an endpoint that misbehaves: no judgment is lost, none is 0 because of an error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.scoring import score
from evalkit.scoring.judges.endpoint import EndpointModel
from evalkit.scoring.judges.llm import LLMJudge
from evalkit.scoring.judges.stored import stored
from evalkit.store import Rows

TEXTS = ["The allowance is EUR 42 a day."]
NOW = "TRV@2025-05-01"
FAITHFULNESS = "faithfulness/generation/faithfulness"


def judge(server: Any, *, repeats: int = 1, **changes: Any) -> LLMJudge:
    settings = {"base_url": server.url, "first_wait_s": 0.01, "attempts": 3, **changes}
    return LLMJudge(EndpointModel("m", **settings), repeats=repeats)


PASSING = {
    "429": lambda s: s.status(429, retry_after="0.02"),
    "500": lambda s: s.status(500),
    "503": lambda s: s.status(503),
    "cut": lambda s: s.cut,
    "page": lambda s: s.no_json,
    "prose": lambda s: s.saying("I think so."),
    "range": lambda s: s.saying('{"verdict": 2, "reason": "x"}'),
    "schema": lambda s: s.saying('{"answer": "yes"}'),
    "empty": lambda s: s.saying(""),
    "slow": lambda s: s.slow(1.0, s.verdict(0)),
}
LASTING = {
    "500": (lambda s: s.status(500, "boom"), "HTTP 500: .*boom"),
    "cut": (lambda s: s.cut, "Error: "),
    "page": (lambda s: s.no_json, "the response is no chat completion"),
    "schema": (lambda s: s.saying('{"verdict": "maybe", "reason": "x"}'), "does not fit: .*maybe"),
    "slow": (lambda s: s.slow(0.5, s.verdict(0)), r"no reply within 0\.1 s"),
}
FINAL = {
    "401": lambda s: s.status(401),
    "400": lambda s: s.status(400),
    "404": lambda s: s.status(404),
    "quota": lambda s: s.status(429, "insufficient_quota"),
}


@pytest.mark.parametrize("trouble", PASSING)
def test_a_passing_trouble_is_tried_again(server: Any, trouble: str) -> None:
    """The second reply counts, and the verdict is its verdict."""
    server.script = [PASSING[trouble](server)]
    made = judge(server, timeout_s=0.7 if trouble == "slow" else 20)
    (found,) = made.support(["EUR 42."], TEXTS)
    assert (found.supported, found.score, found.error) == (True, 1.0, None)
    assert len(server.requests) == 2


@pytest.mark.parametrize("trouble", LASTING)
def test_a_lasting_trouble_is_a_failed_judgment_with_its_cause(server: Any, trouble: str) -> None:
    """No verdict and no 0; the calls are as many as configured, and three for a bad reply."""
    behaviour, said = LASTING[trouble]
    server.usual = behaviour(server)
    made = judge(server, attempts=2, timeout_s=0.1 if trouble == "slow" else 20)
    (found,) = made.support(["EUR 42."], TEXTS)
    assert found.supported is None
    assert re.search(said, str(found.error)), found.error
    assert len(server.requests) == (3 if trouble == "schema" else 2)


def test_a_server_that_is_not_there_is_a_failed_judgment() -> None:
    chat = EndpointModel("m", base_url="http://127.0.0.1:9/v1", attempts=2, first_wait_s=0.01)
    (found,) = LLMJudge(chat).support(["EUR 42."], TEXTS)
    assert found.supported is None
    assert chat.facts() == {"calls": 2}


def test_a_server_that_is_down_is_not_waited_for_at_every_statement() -> None:
    """After the tries of whole calls went unanswered the other statements fail at once, saying so."""
    chat = EndpointModel(
        "m", base_url="http://127.0.0.1:9/v1", attempts=2, first_wait_s=0.01, concurrency=1
    )
    found = LLMJudge(chat).support([f"Number {i}." for i in range(50)], TEXTS)
    assert [each.supported for each in found] == [None] * 50
    assert chat.facts() == {"calls": 4}
    assert re.search("no answer to 4 requests in a row .*run again", str(found[-1].error))


def test_a_server_that_answers_now_and_then_is_asked_on(server: Any) -> None:
    """Also an error is an answer; only one that is silent to everybody is given up."""
    silence, answer = server.cut, server.status(500)
    server.script = [silence, silence, answer, silence, silence, answer, silence, silence]
    made = judge(server, attempts=2, concurrency=1)
    found = made.support([f"Number {i}." for i in range(5)], TEXTS)
    assert [each.supported for each in found] == [None] * 4 + [True]


@pytest.mark.parametrize("trouble", FINAL)
def test_a_refusal_that_waiting_does_not_mend_is_not_repeated(server: Any, trouble: str) -> None:
    """A wrong key or name, and a used-up account."""
    server.usual = FINAL[trouble](server)
    (found,) = judge(server).support(["EUR 42."], TEXTS)
    assert found.supported is None
    assert len(server.requests) == 1


def test_retry_after_is_waited_for_but_not_for_ever(server: Any) -> None:
    """As long as asked where that is bearable; beyond ``longest_wait_s`` it fails at once."""
    from time import perf_counter

    server.script = [server.status(429, retry_after="0.4")]
    started = perf_counter()
    assert judge(server).support(["EUR 42."], TEXTS)[0].supported is True
    assert perf_counter() - started >= 0.4
    server.script = [server.status(429, retry_after="3600")]
    (found,) = judge(server).support(["EUR 42."], TEXTS)
    assert "HTTP 429" in str(found.error)


def test_requests_under_way_are_bounded(server: Any) -> None:
    """With a concurrency of 3 never more than 3 at once, and more than one."""
    server.usual = server.slow(0.05, server.verdict(1))
    found = judge(server, concurrency=3).support([f"Number {i}." for i in range(9)], TEXTS)
    assert [each.supported for each in found] == [True] * 9
    assert 1 < server.most <= 3


def test_a_judge_exception_is_neither_0_nor_swallowed(world: Any, server: Any) -> None:
    """A failed judgment makes a failed score that names the cause, on the metric itself."""
    server.usual = server.status(401, "bad key")
    sample = world.sample("EUR 42", retrieved=[NOW])
    (row,) = score(sample, judge(server), [FAITHFULNESS])
    assert (row.status, row.value) == ("failed", None)
    assert "HTTP 401" in row.reason


def test_a_cap_on_calls_is_never_exceeded_and_a_rerun_goes_on(server: Any, tmp_path: Path) -> None:
    """Three of five are judged, two failed by the cap; the rerun asks for those two alone."""
    statements = [f"Number {i}." for i in range(5)]

    def run(calls: int) -> Any:
        rows = Rows(tmp_path / "rows.sqlite")
        made = stored(judge(server, budget={"calls": calls}), rows)
        return made.support(statements, TEXTS), made.facts()

    found, facts = run(3)
    assert sorted(str(j.supported) for j in found) == ["None", "None", "True", "True", "True"]
    assert all("spending cap: 3 calls" in str(j.error) for j in found if j.supported is None)
    assert (len(server.requests), facts["calls"], facts["failed"]) == (3, 3, 2)
    found, facts = run(3)
    assert [j.supported for j in found] == [True] * 5
    assert (len(server.requests), facts["calls"], facts["from_store"]) == (5, 2, 3)
    _, facts = run(0)
    assert (len(server.requests), facts["calls"], facts["failed"]) == (5, 0, 0)


def test_retries_count_as_calls(server: Any) -> None:
    server.usual = server.status(500)
    made = judge(server, budget={"calls": 2}, attempts=5)
    (found,) = made.support(["EUR 42."], TEXTS)
    assert len(server.requests) == 2
    assert "spending cap" in str(found.error)


def test_a_cap_on_money_is_never_exceeded(server: Any) -> None:
    """Each reply costs 100 x 10 + 10 x 20 = 1200 millionths; what is refused is not sent."""
    budget = {"money": 0.05, "prompt_price": 10.0, "reply_price": 20.0}
    made = judge(server, budget=budget, max_tokens=100, concurrency=2)
    found = made.support([f"Number {i}." for i in range(60)], TEXTS)
    done = [j for j in found if j.supported is not None]
    assert 0 < len(done) < 60
    assert len(server.requests) == len(done)
    spent = made.facts()["spent"]
    assert spent == pytest.approx(len(done) * 0.0012)
    assert spent <= 0.05
    assert all("spending cap" in str(j.error) for j in found if j.supported is None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget": {"money": 1.0}}, "tokens have no price"),
        ({"budget": {"calls": 1.5}}, "calls is 1.5, expected a whole number"),
        ({"budget": {"money": float("nan"), "prompt_price": 1, "reply_price": 1}}, "is nan"),
        ({"budget": {"dollars": 1}}, "unknown keys .*dollars"),
        ({"attempts": 0}, "judge.chat.attempts is 0"),
        ({"timeout_s": 0}, "judge.chat.timeout_s is 0"),
        ({"concurrency": True}, "judge.chat.concurrency is True"),
    ],
)
def test_wrong_settings_are_refused_by_key(server: Any, given: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        judge(server, **given)


def test_the_key_reaches_the_server_and_nothing_else(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the identity, not the store, not an error in which the server repeats it."""
    monkeypatch.setenv("JUDGE_KEY", "sk-very-secret-1")
    server.script = [
        server.saying('{"reason": "your key is sk-very-secret-1", "verdict": 1}'),
        server.status(401, "no such key: sk-very-secret-1"),
    ]
    rows = Rows(tmp_path / "rows.sqlite")
    chat_of = judge(server, key_from="JUDGE_KEY", concurrency=1)
    made = stored(chat_of, rows)
    first = made.support(["EUR 42."], TEXTS)
    second = made.support(["EUR 43."], TEXTS)
    assert set(server.keys) == {"Bearer sk-very-secret-1"}
    rows.close()
    seen = [str(chat_of.chat.identity), str(made.facts()), str(second), chat_of.version]
    seen.append(str(first[0].record))
    assert not any("sk-very-secret-1" in text for text in seen)
    assert second[0].supported is None
    for file in tmp_path.iterdir():
        assert b"sk-very-secret-1" not in file.read_bytes()


def test_openai_without_a_key_is_refused_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        EndpointModel("gpt-4o-mini")


# --- ragas' own metrics -------------------------------------------------------------------------


def by_prompt(handler: Any) -> None:
    """Fill whichever response model ragas asks for, from the schema in the request."""
    schema = json.dumps(handler.body["messages"])
    if "classifications" in schema:
        one = {"statement": "s", "reason": "r", "attributed": 1}
        reply: Any = {"classifications": [one, {**one, "attributed": 0}]}
    elif "claims" in schema and "decompose" in schema.casefold():
        reply = {"claims": ["The allowance is EUR 42."]}
    elif '\\"verdict\\"' in schema and "word-by-word" in schema:
        row = {"statement": "s", "reason": "r", "verdict": 1}
        reply = {"statements": [row, {**row, "verdict": 0}]}
    elif "Verification" in schema or "useful" in schema:
        reply = {"reason": "r", "verdict": 1}
    else:
        reply = {"statements": ["a", "b"]}
    handler.server.saying(json.dumps(reply))(handler)


def test_ragas_metrics_run_on_the_model_unmodified(server: Any, tmp_path: Path) -> None:
    """Faithfulness, ContextRecall and ContextPrecision ask it with their own prompts; a second
    time nothing is sent, because the replies are kept."""
    from ragas.metrics.collections import ContextPrecision, ContextRecall, Faithfulness

    from evalkit.scoring.judges.ragas_bridge import ragas_llm

    server.usual = by_prompt

    def values() -> list[float]:
        rows = Rows(tmp_path / "rows.sqlite")
        llm = ragas_llm(stored(judge(server), rows))
        common = {"user_input": "How much?", "retrieved_contexts": TEXTS}
        return [
            Faithfulness(llm=llm).score(response="EUR 42. Cats.", **common).value,
            ContextRecall(llm=llm).score(reference="EUR 42. Cats.", **common).value,
            ContextPrecision(llm=llm).score(reference="EUR 42.", **common).value,
        ]

    first = values()
    sent = len(server.requests)
    assert first == pytest.approx([0.5, 0.5, 1.0])
    assert sent == 4
    assert values() == first
    assert len(server.requests) == sent


def test_factual_correctness_becomes_applicable_with_a_language_model(
    world: Any, server: Any
) -> None:
    """Ragas' FactualCorrectness runs on the judge's model; both directions are asked."""
    server.usual = by_prompt
    (row,) = score(world.sample("EUR 42"), judge(server), ["correctness/generation/factual"])
    assert row.status == "scored", row.reason
    assert 0 <= row.value <= 1
