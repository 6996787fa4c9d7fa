"""A server that misbehaves: no request is lost, none is asked too often, and a dead one ends the run."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest
from asking import ATTEMPTS, KEY, asked, complete, engine, requests

from evalkit.errors import EvalkitError
from evalkit.generation import server_calls
from evalkit.generation.base import Completion

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


# --- a server that is down ---------------------------------------------------------------------


def ended(generator: Any, count: int = 50) -> tuple[list[Completion], str]:
    """What came before the run was ended, and the words that ended it."""
    came: list[Completion] = []
    with pytest.raises(EvalkitError) as caught:
        came.extend(generator.generate(requests(count)))
    return came, str(caught.value)


@pytest.mark.parametrize("trouble", ["cut", "503"])
def test_a_server_that_has_gone_ends_the_run(server: Any, trouble: str) -> None:
    """After three requests, and not after all retries of all; and what came before it went is there.
    A gateway that stands before it speaks for nobody.
    """
    server.script = [server.saying("fine")] * 5
    server.usual = server.cut if trouble == "cut" else server.status(503, "no upstream")
    came, told = ended(engine(server, concurrency=1, first_wait_s=0.001))
    assert [c.text for c in came if c.error is None] == ["fine"] * 5
    assert len(server.requests) == 5 + 3 * ATTEMPTS
    assert re.search(r"no answer to 9 requests in a row[\s\S]*Finished answers are kept", told)


def test_of_a_server_that_answers_nobody_so_many_requests_as_are_under_way_are_tried(
    server: Any,
) -> None:
    """Any of them may be one that it chokes on. When the fifth is given up, four may be under way."""
    server.usual = server.cut
    ended(engine(server, concurrency=5, first_wait_s=0.001))
    assert 5 * ATTEMPTS <= len(server.requests) <= 9 * ATTEMPTS


def test_a_server_that_cannot_be_reached_ends_the_run_with_the_first_request() -> None:
    """No prompt is at fault there. The address is told, and the password in it is not."""

    class Nowhere:
        url = "http://user:pass-word@127.0.0.1:9/v1"

    came, told = ended(engine(Nowhere, concurrency=1, first_wait_s=0.001))
    assert came == []
    assert re.search(rf"127\.0\.0\.1:9/v1: .* no answer to {ATTEMPTS} requests in a row", told)
    assert "pass-word" not in told


def test_a_machine_that_takes_no_connection_is_not_waited_for_as_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its queue is full, so that connecting hangs; a request may take half a minute."""
    monkeypatch.setattr(server_calls, "_CONNECT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as queue:
        for _ in range(8):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())

        class Deaf:
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"

        started = time.monotonic()
        _, told = ended(engine(Deaf, timeout_s=30, first_wait_s=0.001))
    assert time.monotonic() - started < 10
    assert "no answer to" in told


@pytest.mark.parametrize("count", [1, 6])
def test_a_prompt_that_the_server_chokes_on_fails_alone(server: Any, count: int) -> None:
    """Also when it is the only one that is left to ask."""

    def choke(handler: Any) -> None:
        asked = handler.body["messages"][-1]["content"]
        (server.cut if asked.startswith("q0") else server.saying("fine"))(handler)

    server.usual = choke
    done = complete(engine(server, concurrency=1, first_wait_s=0.001), count)
    assert [name for name, c in done.items() if c.error] == ["r0"]
    assert asked(server)["q0"] == ATTEMPTS


def test_a_server_that_fails_at_every_request_is_there(server: Any) -> None:
    """Status 500 is its own word, and may be about the prompts."""
    server.usual = server.status(500, "boom")
    done = complete(engine(server, attempts=1), 12)
    assert all("boom" in str(c.error) for c in done.values())


def test_a_server_that_came_back_is_asked_again(server: Any) -> None:
    """By the same engine."""
    generator = engine(server, concurrency=1, first_wait_s=0.001)
    server.usual = server.cut
    ended(generator)
    server.usual = server.saying("fine")
    assert {c.text for c in complete(generator).values()} == {"fine"}


# --- stopped -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("interruptible")
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
