"""An engine behind a server that misbehaves: no request is lost, none is asked too often."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit import answering
from evalkit.assemble import Experiment
from evalkit.compose import compose, resolved
from evalkit.errors import ConfigError, EvalkitError
from evalkit.generation.base import Completion, Decoding, Request
from evalkit.generation.openai_engine import OpenAIGenerator
from evalkit.progress import Progress
from evalkit.records import Trace
from evalkit.store import Store

KEY = "sk-very-secret-0123456789"
ATTEMPTS = 3


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def engine(server: Any, **settings: Any) -> OpenAIGenerator:
    decoding = settings.pop("decoding", Decoding(max_new_tokens=8))
    given = {
        "model": "m", "base_url": server.url, "attempts": ATTEMPTS, "first_wait_s": 0.01,
        "longest_wait_s": 1.0, "timeout_s": 5.0,
    }  # fmt: skip
    return OpenAIGenerator(None, "server:m@here", decoding, **(given | settings))


def requests(count: int = 5) -> list[Request]:
    return [
        Request(
            f"r{i}",
            ({"role": "system", "content": "Be brief."}, {"role": "user", "content": f"q{i} why?"}),
        )
        for i in range(count)
    ]


def asked(server: Any) -> dict[str, int]:
    """How often each question came to the server."""
    contents = [body["messages"][-1]["content"].split()[0] for body in server.requests]
    return {content: contents.count(content) for content in contents}


def complete(generator: OpenAIGenerator, count: int = 5) -> dict[str, Completion]:
    done = list(generator.generate(requests(count)))
    assert sorted(c.id for c in done) == sorted(f"r{i}" for i in range(count))  # each exactly once
    return {c.id: c for c in done}


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


# --- a server that misbehaves ------------------------------------------------------------------

TROUBLES = {
    "429": lambda s: s.status(429, retry_after="0.02"),
    "500": lambda s: s.status(500, "boom"),
    "slow": lambda s: s.slow(0.6, s.saying("too late")),
    "cut": lambda s: s.cut,
    "no JSON": lambda s: s.no_json,
    "half a JSON": lambda s: lambda handler: handler.send(200, '{"id": "c1", "choi'),
    "no choices": lambda s: s.saying("", choices=[]),
    "no text": lambda s: s.saying(None),
    "another shape": lambda s: lambda handler: handler.send(200, '{"choices": [{"text": 1}]}'),
    "null": lambda s: lambda handler: handler.send(200, "null"),
}
SAID = {
    "429": "HTTP 429", "500": "HTTP 500: .*boom", "slow": r"no reply within 0\.2 s",
    "no choices": "no choices", "no text": "no text", "no JSON": "", "half a JSON": "", "cut": "",
    "another shape": "no text", "null": "no choices",
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_passing_trouble_loses_no_request(server: Any, trouble: str) -> None:
    """Half of the first replies go wrong, and every request is answered in the end."""
    server.script = [TROUBLES[trouble](server), server.saying("fine")] * 3
    server.usual = server.saying("fine")
    done = complete(engine(server, timeout_s=0.3 if trouble == "slow" else 5.0, attempts=6), 6)
    assert {c.text for c in done.values()} == {"fine"}
    assert sum(asked(server).values()) == 6 + 3


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_lasting_trouble_is_an_error_and_never_an_empty_answer(server: Any, trouble: str) -> None:
    """Each request is asked as often as allowed, and the completion says what went wrong."""
    server.usual = TROUBLES[trouble](server)
    done = complete(engine(server, timeout_s=0.2 if trouble == "slow" else 5.0), 3)
    for completion in done.values():
        assert (completion.finish_reason, completion.text) == ("error", "")
        assert re.search(SAID[trouble], str(completion.error)), completion.error
    assert asked(server) == {"q0": ATTEMPTS, "q1": ATTEMPTS, "q2": ATTEMPTS}


@pytest.mark.parametrize(
    "refusal",
    [
        lambda s: s.status(400, "prompt too long"),
        lambda s: s.status(429, "insufficient_quota"),
        lambda s: s.saying("", finish_reason="content_filter"),
    ],
)
def test_what_waiting_does_not_mend_is_asked_once(server: Any, refusal: Any) -> None:
    server.usual = refusal(server)
    assert all(c.error for c in complete(engine(server), 2).values())
    assert asked(server) == {"q0": 1, "q1": 1}


def test_retry_after_is_kept_by_every_request(server: Any) -> None:
    """The server asked to be left alone: not even another request goes out before."""
    server.script = [server.status(429, retry_after="0.4")]
    server.usual = server.saying("fine")
    started = time.monotonic()
    complete(engine(server, concurrency=1), 3)
    assert time.monotonic() - started >= 0.4
    assert len(server.requests) == 4


def test_a_retry_after_beyond_bearing_is_given_up_at_once(server: Any) -> None:
    server.usual = server.status(429, retry_after="3600")
    started = time.monotonic()
    assert complete(engine(server), 1)["r0"].error
    assert (len(server.requests), time.monotonic() - started < 1) == (1, True)


def test_an_answer_that_was_cut_says_so(server: Any) -> None:
    """``length`` is no error; so is a model that spent all its tokens on thinking."""
    server.script = [server.saying("half an ans", finish_reason="length")]
    server.usual = server.saying(None, finish_reason="length")
    done = complete(engine(server, concurrency=1), 2)
    assert [(c.text, c.finish_reason, c.error) for c in done.values()] == [
        ("half an ans", "length", None),
        ("", "length", None),
    ]


def test_half_a_surrogate_pair_is_made_writable(server: Any) -> None:
    """Valid JSON, and no text that a file can hold."""
    server.usual = server.saying("so \ud83d")
    assert complete(engine(server), 1)["r0"].text == "so ?"


def test_an_empty_answer_is_an_answer(server: Any) -> None:
    """A model may say nothing; that is scored, unlike a reply without a text."""
    server.usual = server.saying("")
    assert complete(engine(server), 1)["r0"].error is None


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (
            lambda s: s.status(401, f"wrong key {KEY}"),
            "does not accept the key[\\s\\S]*export MY_KEY",
        ),
        (lambda s: s.status(404, "no such model"), r"does not know[\s\S]*model\.name"),
    ],
)
def test_what_no_request_can_survive_ends_the_run(
    server: Any, behaviour: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong key or model: at once, with what to do, and without the key."""
    monkeypatch.setenv("MY_KEY", KEY)
    server.usual = behaviour(server)
    with pytest.raises(EvalkitError, match=said) as caught:
        list(engine(server, key_from="MY_KEY", concurrency=2).generate(requests(50)))
    assert KEY not in str(caught.value)
    assert len(server.requests) <= 4


def test_a_server_that_has_gone_ends_the_run(server: Any) -> None:
    """Not after all retries of all requests; and what came before it went is there."""
    server.script = [server.saying("fine")] * 5
    server.usual = server.cut
    came = []
    with pytest.raises(
        EvalkitError, match=r"no answer to 8 requests in a row[\s\S]*finished answers are kept"
    ):
        came.extend(engine(server, concurrency=1, first_wait_s=0.001).generate(requests(500)))
    assert [c.text for c in came if c.error is None] == ["fine"] * 5
    assert len(server.requests) == 5 + 8 * ATTEMPTS


def test_a_server_that_never_was_is_said() -> None:
    class Nowhere:
        url = "http://user:pass-word@127.0.0.1:9/v1"

    with pytest.raises(EvalkitError, match=r"127\.0\.0\.1:9/v1 gave no answer to 8 ") as caught:
        list(engine(Nowhere, first_wait_s=0.001).generate(requests(50)))
    assert "pass-word" not in str(caught.value)


# --- money -------------------------------------------------------------------------------------


def test_a_cap_on_calls_is_never_exceeded(server: Any) -> None:
    """Retries count; what was not sent is an error that says why."""
    server.script = [server.status(500)]
    server.usual = server.saying("fine")
    done = complete(engine(server, budget={"calls": 4}), 10)
    assert len(server.requests) == 4
    refused = [c.error for c in done.values() if c.error]
    assert len(refused) == 7
    assert all("spending cap: 4 calls" in str(error) for error in refused)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_cap_on_money_is_never_exceeded_and_well_used(server: Any, concurrency: int) -> None:
    """20 prompt tokens and 8 new ones at 1000 and 2000 a million cost 0.036 a request, and could have
    cost 0.096: one for each byte, 32 for each message. Requests that are under way may cost less
    than that, so the others wait for them before they give up: 12 fit.
    """
    usage = {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}
    server.usual = server.slow(0.01, server.saying("fine", usage=usage))
    budget = {"money": 0.5, "prompt_price": 1000.0, "reply_price": 2000.0}
    generator = engine(server, budget=budget, concurrency=concurrency)
    done = complete(generator, 30)
    assert len(server.requests) == 12
    assert generator.spending.money == pytest.approx(0.036 * 12)
    assert sum("spending cap" in str(c.error) for c in done.values()) == 18


def test_generators_of_one_run_share_a_cap_and_the_next_run_starts_anew(server: Any) -> None:
    server.usual = server.saying("fine")
    base, tuned = (engine(server, budget={"calls": 3}) for _ in range(2))
    done = [*base.generate(requests(2)), *tuned.generate(requests(2))]
    assert [c.error is None for c in done].count(True) == 3
    base.close()
    tuned.close()
    assert not any(c.error for c in engine(server, budget={"calls": 3}).generate(requests(3)))


def test_a_cap_without_prices_is_refused(server: Any) -> None:
    with pytest.raises(ConfigError, match=r"model\.engine\.budget\.money is 5, but tokens have no"):
        engine(server, budget={"money": 5})


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


# --- stopped, and again ------------------------------------------------------------------------


def test_an_interrupt_hands_over_what_has_come(server: Any) -> None:
    """Ctrl-C ends the waiting; what finished before it is not lost, and nothing goes on behind."""
    server.script = [server.saying("fine")] * 4
    server.usual = server.slow(30, server.saying("never"))
    came: list[Completion] = []
    timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        came.extend(engine(server, timeout_s=60, concurrency=2).generate(requests(20)))
    timer.join()
    assert [c.text for c in came] == ["fine"] * 4
    assert not [t for t in threading.enumerate() if t.name == "ask"]


def test_a_caller_that_stops_leaves_nothing_running(server: Any) -> None:
    completions = engine(server).generate(requests(50))
    next(completions)
    completions.close()
    assert not [t for t in threading.enumerate() if t.name == "ask"]


def overrides(server: Any, shared_benchmark: Path, tmp_path: Path) -> list[str]:
    return [
        "model=openai", "model.name=m", f"model.base_url={server.url}", "model.engine.attempts=2",
        "model.engine.first_wait_s=0.01", "pipeline=[prompt_only,rag]", "embedder=hash",
        "judge=offline", "tracking=none", "statistics.resamples=200", "benchmark=jsonl",
        f"benchmark.path={shared_benchmark}", f"store={tmp_path / 'store'}",
    ]  # fmt: skip


def test_a_rerun_asks_only_what_is_missing(
    server: Any, shared_benchmark: Path, tmp_path: Path
) -> None:
    """With a store: failed answers are traces with an error, a rerun asks for them alone, and a
    third one asks nothing."""
    given = [*overrides(server, shared_benchmark, tmp_path), "pipeline=[prompt_only]"]
    experiment, store = Experiment(resolved(compose(given))), Store(tmp_path / "store")
    good = server.saying('{"answer": "EUR 42", "source": "A", "effective": "2025-06-01"}')

    def picky(handler: Any) -> None:
        asked = handler.body["messages"][-1]["content"]
        (server.status(500) if "depot" in asked else good)(handler)

    def run() -> list[Trace]:
        with closing(experiment.generator()) as generator:
            pipelines = experiment.pipelines
            return answering.generate(experiment, generator, pipelines, {}, store, Progress())

    server.usual = picky
    failed = [t.question for t in run() if t.error]
    assert sorted(failed) == ["q3", "q4", "q5"]
    server.usual, before = good, len(server.requests)
    assert [t.error for t in run()] == [None] * 6
    assert len(server.requests) - before == 3
    again = run()
    assert len(server.requests) - before == 3
    assert {t.output for t in again} == {
        '{"answer": "EUR 42", "source": "A", "effective": "2025-06-01"}'
    }


def test_tuned_pipelines_need_an_adapter_that_the_server_has(
    server: Any, shared_benchmark: Path, tmp_path: Path
) -> None:
    """Without its name they are refused before anything is asked; with it nothing is trained."""
    given = [*overrides(server, shared_benchmark, tmp_path), "pipeline=[prompt_only,lora]"]
    with pytest.raises(ConfigError, match=r"\['lora'\] are tuned[\s\S]*model\.adapter_name=NAME"):
        evalkit.run(*given, f"run_dir={tmp_path / 'refused'}")
    assert server.requests == []
    result = evalkit.run(*given, "model.adapter_name=mine", f"run_dir={tmp_path / 'run'}")
    assert {body["model"] for body in server.requests} == {"m", "mine"}
    assert [p["adapter"] for p in result.results["pipelines"]] == [None, "server:mine"]
    assert not (tmp_path / "store" / "adapter").exists()


def test_an_adapter_name_means_nothing_to_a_model_on_this_machine(
    tiny_overrides: list[str], tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"model\.adapter_name is 'mine', but the model is on this"
    ):
        evalkit.run(*tiny_overrides, "+model.adapter_name=mine", f"run_dir={tmp_path / 'run'}")


def test_an_address_that_is_none_is_refused(shared_benchmark: Path, tmp_path: Path) -> None:
    class Odd:
        url = "localhost:8000"

    with pytest.raises(ConfigError, match=r"model\.base_url is 'localhost:8000'"):
        evalkit.run(*overrides(Odd, shared_benchmark, tmp_path), f"run_dir={tmp_path / 'run'}")
