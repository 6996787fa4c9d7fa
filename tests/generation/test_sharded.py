"""Several workers give the answers of one: shares, order, identity, and errors that travel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError, EvalkitError
from evalkit.generation.base import Completion, Decoding, Generator, Request
from evalkit.generation.sharded import MOST_AT_A_TIME, ShardedGenerator, shared_out
from evalkit.generation.transformers_engine import TransformersGenerator


def request(number: int, length: int) -> Request:
    messages = (
        {"role": "system", "content": "Answer briefly, and in one line, as a clerk would."},
        {"role": "user", "content": f"{number}: " + "why " * length},
    )
    return Request(f"r{number}", messages)


REQUESTS = [request(n, (n * 7) % 11) for n in range(23)]


def tiny(folder: Path, **options: object) -> Callable[[], Generator]:
    decoding = Decoding(max_new_tokens=6, **options)  # type: ignore[arg-type]
    return partial(
        TransformersGenerator, folder, "tiny", decoding, device="cpu", dtype="float32", max_rows=4
    )


def by_id(completions: Iterator[Completion]) -> dict[str, tuple[object, ...]]:
    return {
        c.id: (c.text, c.prompt, c.prompt_tokens, c.output_tokens, c.finish_reason, c.error)
        for c in completions
    }


@pytest.fixture
def sharded() -> Iterator[Callable[..., ShardedGenerator]]:
    made: list[ShardedGenerator] = []

    def make(*given: object) -> ShardedGenerator:
        made.append(ShardedGenerator(*given))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_workers_give_the_answers_of_one_engine(
    tiny_model: Path, sharded: Callable[..., ShardedGenerator]
) -> None:
    """In float32 to the letter, also when sampling; and the identity, so that rows are shared."""
    make = tiny(tiny_model, temperature=0.8, seed=3)
    alone, several = make(), sharded(make, 2, "processes")
    messages = REQUESTS[0].messages
    assert several.identity == alone.identity
    assert several.count_tokens(messages) == alone.count_tokens(messages)
    assert by_id(several.generate(REQUESTS)) == by_id(alone.generate(REQUESTS))
    assert list(several.generate([])) == []


@given(
    lengths=st.lists(st.integers(0, 40), max_size=300),
    workers=st.integers(2, 9),
)
def test_every_request_is_in_one_share(lengths: list[int], workers: int) -> None:
    """None lost, none twice, none too many at a time, and work for all where there is enough."""
    requests = [request(n, length) for n, length in enumerate(lengths)]
    shares = shared_out(requests, workers)
    assert sorted(r.id for share in shares for r in share) == sorted(r.id for r in requests)
    assert all(0 < len(share) <= MOST_AT_A_TIME for share in shares)
    assert len(shares) >= min(workers, len(requests))


class Refusing:
    """An engine whose model cannot be loaded, or whose process dies."""

    identity: ClassVar[dict[str, object]] = {}

    def __init__(self, dies: bool) -> None:
        self.dies = dies

    def generate(self, requests: list[Request]) -> Iterator[Completion]:
        if self.dies:
            os._exit(9)
        raise EvalkitError("no weights", todo="get some")
        yield

    def close(self) -> None:
        pass


def test_a_workers_error_reaches_the_user(sharded: Callable[..., ShardedGenerator]) -> None:
    """With what to do, although errors with keywords do not survive the way between processes."""
    with pytest.raises(EvalkitError, match="no weights") as caught:
        list(sharded(partial(_refusing, False), 2, "processes").generate(REQUESTS))
    assert caught.value.todo == "get some"


def test_a_worker_that_dies_is_said_clearly(sharded: Callable[..., ShardedGenerator]) -> None:
    """What it takes most often is less memory, that is fewer workers."""
    with pytest.raises(EvalkitError, match="a worker's process died") as caught:
        list(sharded(partial(_refusing, True), 2, "processes").generate(REQUESTS))
    assert "model.engine.workers" in str(caught.value.todo)


@pytest.mark.parametrize(("workers", "where"), [(0, "processes"), (True, "ray"), (2, "threads")])
def test_workers_that_make_no_sense_are_refused(workers: int, where: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.engine\.workers"):
        ShardedGenerator(partial(_refusing, False), workers, where)


@pytest.mark.slow
def test_workers_of_a_ray_cluster_give_the_answers_of_one_engine(tiny_model: Path) -> None:
    """Greedy, on a cluster of this machine with pretended GPUs: each worker gets one. From a job that
    holds one itself they are refused, since it would wait for its own; from one that holds none they
    work.
    """
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'evalkit[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init("local", num_cpus=2, num_gpus=2, include_dashboard=False, configure_logging=False)
    try:
        alone = by_id(tiny(tiny_model)().generate(REQUESTS))
        job = ray.remote(_sharded_answers)
        assert ray.get(job.options(num_gpus=0).remote(tiny_model)) == alone
        assert "holds a GPU of the Ray cluster" in ray.get(
            job.options(num_gpus=1).remote(tiny_model)
        )
    finally:
        ray.shutdown()


def _sharded_answers(folder: Path) -> dict[str, tuple[object, ...]] | str:
    several = ShardedGenerator(tiny(folder), 2, "ray")
    try:
        return by_id(several.generate(REQUESTS))
    except EvalkitError as error:
        return error.problem
    finally:
        several.close()


def _refusing(dies: bool) -> Generator:
    return Refusing(dies)  # type: ignore[return-value]
