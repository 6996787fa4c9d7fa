"""What an engine behind a server may spend: never more, and all of it where it is needed."""

from __future__ import annotations

from typing import Any

import pytest
from asking import complete, engine, requests

from evalkit.errors import ConfigError


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
