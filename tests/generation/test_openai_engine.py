"""An engine behind a server: what is asked, what comes back, and what identifies it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from asking import KEY, complete, engine, requests

from evalkit.errors import ConfigError
from evalkit.generation.base import Decoding
from evalkit.generation.openai_engine import OpenAIGenerator


def test_every_request_is_completed_with_the_servers_counts(server: Any) -> None:
    """Text, counts and reason are the server's; what was sent is the decoding that was asked for."""
    server.usual = server.saying("because")
    first = complete(engine(server))["r0"]
    assert (first.text, first.finish_reason, first.error) == ("because", "stop", None)
    assert (first.prompt_tokens, first.output_tokens) == (100, 10)
    assert not first.tokens_estimated
    assert first.seconds > 0
    assert first.prompt == "[system]\nBe brief.\n[user]\nq0 why?"
    body = next(b for b in server.requests if "q0" in b["messages"][-1]["content"])
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 8, 0.0)
    assert "seed" not in body
    assert list(engine(server).generate([])) == []


def test_requests_under_way_are_bounded(server: Any) -> None:
    under_way, most = 0, []

    def count(handler: Any) -> None:
        nonlocal under_way
        with server.turn:
            under_way += 1
            most.append(under_way)
        time.sleep(0.05)
        with server.turn:
            under_way -= 1  # before the reply, on which the next request follows
        server.saying("x")(handler)

    server.usual = count
    complete(engine(server, concurrency=3), 12)
    assert max(most) == 3


def test_completions_come_as_they_finish(server: Any) -> None:
    """One slow reply holds nobody up."""
    server.script = [server.slow(0.5, server.saying("late"))]
    server.usual = server.saying("soon")
    texts = [c.text for c in engine(server, concurrency=2).generate(requests())]
    assert texts == ["soon"] * 4 + ["late"]


# --- keys, identity, counts --------------------------------------------------------------------


def test_a_key_comes_from_the_named_variable_and_goes_nowhere_else(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the server, and not into the identity, nor into an error that repeats it."""
    monkeypatch.setenv("MY_KEY", KEY)
    server.usual = server.status(400, f"bad request by {KEY}")
    generator = engine(server, key_from="MY_KEY")
    error = str(complete(generator, 1)["r0"].error)
    assert server.keys == [f"Bearer {KEY}"]
    assert KEY not in json.dumps(generator.identity) + error + repr(generator._server)
    assert "<redacted>" in error


def test_the_identity_changes_with_whatever_changes_an_answer(server: Any) -> None:
    """And not with time-outs or concurrency. The seed counts only when sampling."""
    sampling = Decoding(max_new_tokens=8, temperature=1.0)
    different = [
        engine(server),
        engine(server, model="n"),
        engine(server, adapter="a", adapter_id="server:a"),
        engine(server, decoding=Decoding(max_new_tokens=9)),
        engine(server, decoding=sampling),
        engine(server, decoding=Decoding(max_new_tokens=8, temperature=1.0, seed=1)),
        engine(server, extra={"top_p": 0.5}),
        engine(server, tokenizer="org/model"),
        OpenAIGenerator(
            None, "server:m@there", Decoding(max_new_tokens=8), model="m", base_url="u"
        ),
    ]
    identities = [json.dumps(g.identity, sort_keys=True) for g in different]
    assert len(set(identities)) == len(different)
    assert engine(server, timeout_s=1, concurrency=2).identity == engine(server).identity


def test_an_adapter_is_asked_for_by_its_name_on_the_server(server: Any) -> None:
    complete(engine(server, adapter="mine", adapter_id="server:mine"), 1)
    assert server.requests[0]["model"] == "mine"


def test_sampling_is_seeded_by_request(server: Any) -> None:
    """Another request, another seed; the same one again, the same."""
    for _ in range(2):
        complete(engine(server, decoding=Decoding(temperature=1.0)), 3)
    seeds = [(b["messages"][-1]["content"], b["seed"]) for b in server.requests]
    assert len(set(seeds)) == len({seed for _, seed in seeds}) == 3
    assert all(0 <= seed < 2**31 for _, seed in seeds)


@pytest.mark.parametrize(
    "usage", [None, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}]
)
def test_counts_that_nobody_gave_are_estimated_and_marked(
    server: Any, caplog: pytest.LogCaptureFixture, usage: Any
) -> None:
    """27 bytes of prompt in two messages are about 9 + 8 tokens; it is said once."""
    server.usual = server.saying("because", usage=usage)
    first = complete(engine(server))["r0"]
    assert first.tokens_estimated
    assert (first.prompt_tokens, first.output_tokens) == (4 + 3 + 4 + 3, 3)
    assert caplog.text.count("counts no tokens") == 1


def test_a_local_tokenizer_renders_and_counts_as_the_model_does(
    server: Any, tiny_model: Path
) -> None:
    """The tiny tokenizer has one token a byte, and one for each mark of its template."""
    server.usual = server.saying("because", usage=None)
    generator = engine(server, tokenizer=str(tiny_model))
    first = complete(generator)["r0"]
    assert first.prompt == "<system>Be brief.<end><user>q0 why?<end><assistant>"
    assert first.prompt_tokens == generator.count_tokens(requests()[0].messages) == 9 + 7 + 5
    assert (first.output_tokens, first.tokens_estimated) == (7, False)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"concurrency": 0}, r"model\.engine\.concurrency is 0"),
        ({"timeout_s": 0}, r"model\.engine\.timeout_s is 0"),
        ({"attempts": 0}, r"model\.engine\.attempts is 0"),
        ({"budget": {"calls": -1}}, r"model\.engine\.budget\.calls is -1"),
        ({"budget": {"cals": 1}}, r"model\.engine\.budget has the unknown keys \['cals'\]"),
        ({"extra": {"n": 3}}, r"model\.engine\.extra has \['n'\]"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(server: Any, setting: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        engine(server, **setting)
