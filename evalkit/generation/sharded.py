"""One engine in several processes: questions are shared out, and the answers are those of one.

Each worker has the model once more, on a GPU of its own where there are several. What a worker
answers depends on the requests that share its batches only where arithmetic does: in bfloat16 an
answer can depend on its batch, with one worker and with several; in float32 it does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from evalkit.errors import ConfigError, EvalkitError
from evalkit.generation.base import Completion, Generator, Request
from evalkit.machine.hardware import usable_cores
from evalkit.records import Message

MOST_AT_A_TIME = 64
"""Requests that a worker takes at a time: what a kill loses, and how evenly work is shared."""
_SHARES = 4  # of a worker at least, so that none waits long for the last one
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class ShardedGenerator:
    """Answers with ``workers`` engines that ``make()`` makes, one in each process.

    Args:
        make: Makes an engine; it goes to other processes, so it must be importable there.
        workers: How many, 2 or more.
        where: ``processes`` of this machine, ``ray`` for a Ray cluster of this machine, or the
            address of a cluster (``auto``, ``ray://HOST:10001``), whose machines must see the
            model's folder.

    Raises:
        ConfigError: Arguments that make no sense.
    """

    def __init__(self, make: Callable[[], Generator], workers: int, where: str) -> None:
        if type(workers) is not int or workers < 2:
            raise ConfigError(
                f"model.engine.workers is {workers!r}, expected a whole number from 1"
            )
        if where not in ("processes", "ray", "auto") and not where.startswith("ray://"):
            raise ConfigError(
                f"model.engine.workers_on is {where!r}, expected processes, ray, auto or ray://HOST:PORT"
            )
        self.workers, self.where = workers, where
        self._make = make
        self._here = make()  # counts tokens and says who it is; its model is never loaded
        self._pool: _Pool | None = None

    @property
    def identity(self) -> dict[str, object]:
        """The engine's own: how many workers there are changes no answer."""
        return self._here.identity

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._here.count_tokens(messages)

    def render(self, messages: Sequence[Message]) -> str:
        return self._here.render(messages)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Complete every request, in the order in which shares of them are finished.

        Raises:
            EvalkitError: A worker's own, or a worker's process died.
        """
        shares = shared_out(list(requests), self.workers)
        if not shares:
            return
        if self._pool is None:
            self._pool = (_Processes if self.where == "processes" else _Ray)(self)
        yield from self._pool.complete(shares)

    @property
    def make(self) -> Callable[[], Generator]:
        return self._make

    def close(self) -> None:
        """End the workers, and with them their models."""
        self._here.close()
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def shared_out(requests: list[Request], workers: int) -> list[list[Request]]:
    """Shares of like requests: those with the same beginning together, the longest first."""

    def like(request: Request) -> tuple[str, int, str]:
        length = sum(len(str(m["content"])) for m in request.messages)
        return repr(request.messages[:-1]), -length, request.id

    ordered = sorted(requests, key=like)
    size = max(1, min(MOST_AT_A_TIME, -(-len(ordered) // (workers * _SHARES))))
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


class _Pool(Protocol):
    def complete(self, shares: list[list[Request]]) -> Iterator[Completion]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class _Refused:
    """An error for the user that a worker met; as words, since it has to travel."""

    problem: str
    todo: str | None


class _Worker:
    """One engine, in its own process."""

    def __init__(self, make: Callable[[], Generator]) -> None:
        self._engine = make()

    def complete(self, share: list[Request]) -> list[Completion] | _Refused:
        try:
            return list(self._engine.generate(share))
        except EvalkitError as error:
            return _Refused(error.problem, error.todo)


def _given(answer: list[Completion] | _Refused) -> list[Completion]:
    if isinstance(answer, _Refused):
        raise EvalkitError(answer.problem, todo=answer.todo)
    return answer


# --- processes of this machine -------------------------------------------------------------------

_worker: _Worker | None = None


class _Processes:
    """Spawned, not forked: CUDA and threads do not survive a fork."""

    def __init__(self, of: ShardedGenerator) -> None:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        context = get_context("spawn")
        numbers = context.Queue()
        for number in range(of.workers):
            numbers.put(number)
        self._executor = ProcessPoolExecutor(
            of.workers, context, _begin, (of.make, numbers, max(1, usable_cores() // of.workers))
        )

    def complete(self, shares: list[list[Request]]) -> Iterator[Completion]:
        from concurrent.futures import as_completed
        from concurrent.futures.process import BrokenProcessPool

        waiting = [self._executor.submit(_complete, share) for share in shares]
        try:
            for done in as_completed(waiting):
                yield from _given(done.result())
        except BrokenProcessPool as error:
            raise _died() from error
        finally:
            for each in waiting:
                each.cancel()

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


def _begin(make: Callable[[], Generator], numbers: Any, threads: int) -> None:
    """In a new process, before torch is imported: its GPU, its share of the cores, its engine."""
    global _worker
    if gpus := _gpus():
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[numbers.get() % len(gpus)]
    for name in _THREADS:
        os.environ[name] = str(min(threads, int(os.environ.get(name) or threads)))
    _worker = _Worker(make)


def _gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA names them; torch is not asked, since it would
    then hold on to all of them.
    """
    if (said := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in said.split(",") if name.strip()]
    import subprocess

    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.split()


def _complete(share: list[Request]) -> list[Completion] | _Refused:
    assert _worker is not None
    return _worker.complete(share)


def _died() -> EvalkitError:
    return EvalkitError(
        "a worker's process died (was it killed, or out of memory?); its finished answers are kept",
        todo="lower model.engine.workers: each holds the model once; then give the same command again",
    )


# --- Ray -----------------------------------------------------------------------------------------


class _Ray:
    """Actors of a cluster: a GPU each where it has as many, else a share of its cores."""

    def __init__(self, of: ShardedGenerator) -> None:
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        from evalkit.machine.clusters import connected

        self._stack = ExitStack()
        self._ray = self._stack.enter_context(connected(None if of.where == "ray" else of.where))
        each = self._share(of.workers)
        # All of them or none: jobs that each held a part would wait for each other for ever.
        self._room = placement_group([each] * of.workers, strategy="SPREAD")
        self._ray.get(self._room.ready())
        placed = PlacementGroupSchedulingStrategy(self._room)
        actor = self._ray.remote(_Worker).options(
            num_gpus=each.get("GPU", 0), num_cpus=each.get("CPU", 0), scheduling_strategy=placed
        )
        self._workers = [actor.remote(of.make) for _ in range(of.workers)]

    def _share(self, workers: int) -> dict[str, float]:
        """What one worker needs.

        Raises:
            ConfigError: This is a job that holds a GPU, which its workers would wait for.
        """
        there = self._ray.cluster_resources()
        if there.get("GPU", 0) < workers:
            return {"CPU": min(1.0, there.get("CPU", 1) / workers)}
        if self._ray.get_gpu_ids():
            raise ConfigError(
                "this job holds a GPU of the Ray cluster that its workers need",
                todo="give hydra.launcher.num_gpus=0 with model.engine.workers_on, or leave that out",
            )
        return {"GPU": 1.0}

    def complete(self, shares: list[list[Request]]) -> Iterator[Completion]:
        from ray.exceptions import RayActorError
        from ray.util import ActorPool

        pool = ActorPool(self._workers)
        try:
            for answer in pool.map_unordered(lambda w, share: w.complete.remote(share), shares):
                yield from _given(answer)
        except RayActorError as error:
            raise _died() from error

    def close(self) -> None:
        from ray.util.placement_group import remove_placement_group

        for worker in self._workers:
            self._ray.kill(worker)
        remove_placement_group(self._room)
        self._stack.close()
