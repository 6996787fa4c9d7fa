"""Kills a run again and again until it is finished, and compares its scores with an undisturbed run's.

A script, so that a test can start it without threads of its own: it imports everything once and forks
a process for each run. The last line is a JSON object: how many runs were killed in which stage, the
scores that differ, and what was left in the run's folder.

    python kill_runs.py FOLDER KILLS SEED OVERRIDE...
"""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import matplotlib.figure
import pandas as pd
import peft
import torch
import transformers

import evalkit
from evalkit import runner
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.progress import Progress, Stage
from evalkit.run_folder import state_of
from evalkit.stages import answering, retrieving
from evalkit.store import writer

LOADED = (matplotlib.figure, peft, transformers)
START = "start"


def prepare(overrides: list[str]) -> None:
    """Import what a run imports, and commit so often that a kill finds every stage half done."""
    from evalkit.scoring.instructions import faults

    experiment = Experiment(resolved(compose(overrides)))
    faults(experiment.benchmark.format)
    _ = experiment.judge, experiment.chunker
    torch.set_num_threads(1)
    writer.EVERY = 0.01
    answering.AT_ONCE, retrieving.AT_ONCE, runner.SCORED_AT_ONCE = 4, 2, 2


class Told(Progress):
    """Writes the name of each stage to a pipe when it begins."""

    def __init__(self, pipe: int) -> None:
        super().__init__(shown=False)
        self._pipe = pipe

    @contextmanager
    def stage(self, name: str, doing: str, total: float | None = None) -> Iterator[Stage]:
        os.write(self._pipe, f"{name}\n".encode())
        with super().stage(name, doing, total) as stage:
            yield stage


def forked(overrides: list[str], watch: Callable[[int, int], None]) -> int:
    """Run in a process of its own, under the eyes of ``watch(pid, pipe)``; its exit status."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            runner.run(compose(overrides), Told(writing))
            status = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(status)
    os.close(writing)
    watch(pid, reading)
    os.close(reading)
    return os.waitpid(pid, 0)[1]


def timed(begun: dict[str, list[float]]) -> Callable[[int, int], None]:
    """Notes when each stage begins, in seconds after the fork; ``end`` when the run does."""

    def watch(pid: int, pipe: int) -> None:
        started = time.monotonic()
        begun[START] = [0.0]
        with os.fdopen(os.dup(pipe)) as lines:
            for line in lines:
                begun.setdefault(line.strip(), []).append(time.monotonic() - started)
        begun["end"] = [time.monotonic() - started]

    return watch


def undisturbed(pid: int, pipe: int) -> None:
    """Lets the run come to its end."""
    while os.read(pipe, 4096):
        pass


def killer(stage: str, after: float) -> Callable[[int, int], None]:
    """Kills the run some seconds after a stage has begun (for the last time that it does)."""

    def watch(pid: int, pipe: int) -> None:
        seen = START
        while seen != stage:
            if not select.select([pipe], [], [], 120)[0]:
                break
            said = os.read(pipe, 4096).decode().split()
            if not said:  # it ended
                return
            seen = stage if stage in said else said[-1]
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)

    return watch


def scores_of(folder: Path) -> bytes:
    """The scores as a file, without what a clock says."""
    scores = evalkit.open_run(folder).scores
    kept = scores[~scores["metric"].str.endswith("/seconds")].reset_index(drop=True)
    buffer = io.BytesIO()
    kept.to_parquet(buffer)
    return buffer.getvalue()


def lengths(begun: dict[str, list[float]]) -> dict[str, float]:
    """Seconds from the beginning of each stage to that of the next."""
    moments = sorted((at, name) for name, each in begun.items() for at in each)
    following = itertools.pairwise(moments)
    return {name: after - at for (at, name), (after, _) in following}


def main(folder: Path, kills: int, seed: int, overrides: list[str]) -> dict[str, Any]:
    prepare(overrides)

    def command(name: str) -> list[str]:
        return [*overrides, f"store={folder / name / 'store'}", f"run_dir={folder / name / 'run'}"]

    begun: dict[str, list[float]] = {}
    assert forked(command("whole"), timed(begun)) == 0
    expected, stages = scores_of(folder / "whole" / "run"), lengths(begun)
    draw, killed, states = random.Random(seed), Counter[str](), Counter[str]()
    different, left, chain = [], set(), 0
    while sum(killed.values()) < kills:
        name, chain = f"chain-{chain}", chain + 1
        run, told = folder / name / "run", []
        # One death after the other, each further on: the next run goes on where the last one died.
        count = min(len(stages), kills - sum(killed.values()))
        for place in sorted(draw.sample(range(len(stages)), count)):
            stage = list(stages)[place]
            after = draw.random() * stages[stage]
            if forked(command(name), killer(stage, after)) == signal.SIGKILL:
                killed[stage] += 1
                states[state_of(run)] += 1
                told.append(f"{stage} + {after:.3f} s")
            if (run / "results.json").exists():
                break
        if not (run / "results.json").exists() and forked(command(name), undisturbed) != 0:
            different.append(f"{name}, killed in {told}: not finished by the same command")
        elif scores_of(run) != expected:
            different.append(f"{name}, killed in {told}: other scores")
        left |= {f.name for f in run.rglob("*") if f.name.endswith((".part", ".lock"))}
        assert chain < kills + 3, "most runs ended before they could be killed"
    return {
        "killed": dict(killed), "states": dict(states), "different": different, "left": sorted(left),
        "metrics": int(pd.read_parquet(folder / "whole" / "run" / "scores.parquet")["metric"].nunique()),
    }  # fmt: skip


if __name__ == "__main__":
    where, count, number, *given = sys.argv[1:]
    print(json.dumps(main(Path(where), int(count), int(number), given)))
