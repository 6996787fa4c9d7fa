"""Rounds of the matrix comparison: sides as processes, in turns, kept line by line."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OURS = "evalkit"


@dataclass(frozen=True)
class Kind:
    """A side with the batch sizes that the first round tries; other rounds run the fastest.

    Attributes:
        side: ``evalkit``, ``one``, ``sorted`` or ``lm-eval``.
        sizes: As text; ours has none, which is "0".
        repeats: Rounds that it takes part in.
    """

    side: str
    sizes: Sequence[str]
    repeats: int


def command(side: str, batch: str, work: Path, out: Path, python: str | None) -> list[list[str]]:
    """The processes of a side, in the order in which they run."""
    if side != "lm-eval":
        return [[sys.executable, str(HERE / "speed_sides.py"), side, str(work), str(out), batch]]
    plan = json.loads(work.read_text(encoding="utf-8"))
    calls = []
    for weights, folder in plan["weights"].items():
        names = [n for n, part in plan["pipelines"].items() if part["weights"] == weights]
        calls.append(
            [
                str(python), "-m", "lm_eval", "run", "--model", "hf", "--model_args",
                f"pretrained={folder},dtype={plan['dtype']},add_bos_token=False",
                "--tasks", ",".join(f"speed_{n}" for n in names), "--include_path",
                str(work.parent / "tasks"), "--batch_size", batch, "--device", plan["device"],
                "--output_path", str(out.with_suffix("")), "--log_samples",
            ]
        )  # fmt: skip
    return calls


def timed(
    side: str, batch: str, work: Path, python: str | None, limit: float | None
) -> dict[str, Any]:
    """Wall seconds of a side's processes, and what it said; ``seconds`` is None past the limit."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.json"
        started = time.perf_counter()
        for call in command(side, batch, work, out, python):
            try:
                done = subprocess.run(
                    call, capture_output=True, text=True, timeout=limit, cwd=scratch, check=False
                )
            except subprocess.TimeoutExpired:
                return {"seconds": None, "limit": limit}
            if done.returncode:
                raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
        seconds = time.perf_counter() - started
        found = (
            _lm_eval_texts(out.with_suffix(""))
            if side == "lm-eval"
            else json.loads(out.read_text())
        )
    return {"seconds": seconds, "pipelines": found}


def _lm_eval_texts(folder: Path) -> dict[str, Any]:
    """What lm-eval said, by pipeline; it does not tell the seconds within one."""
    found: dict[str, Any] = {}
    for path in folder.rglob("samples_speed_*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        name = path.name.removeprefix("samples_speed_").rsplit("_", 1)[0]
        found[name] = {"texts": {row["doc"]["id"]: row["resps"][0][0] for row in rows}}
    return found


class Rounds:
    """What was measured, kept line by line; a measurement that is there is not made again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = (
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        )

    def measure(self, number: int, side: str, batch: str, **how: Any) -> dict[str, Any]:
        """One measurement, from the file where it is there."""
        for row in self.rows:
            if (row["round"], row["side"], row["batch"]) == (number, side, batch):
                return row
        row = {"round": number, "side": side, "batch": batch, **timed(side, batch, **how)}
        told = "stopped" if row["seconds"] is None else f"{row['seconds']:.1f} s"
        print(f"round {number}: {side} {batch}: {told}", file=sys.stderr, flush=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)
        return row

    def of(self, side: str, batch: str) -> list[dict[str, Any]]:
        """Every finished measurement of a side at a batch size."""
        return [r for r in self.rows if (r["side"], r["batch"]) == (side, batch) and r["seconds"]]

    def tried(self) -> list[tuple[str, str]]:
        """Every side and batch size that was begun: ours first, the smallest batches first."""
        order = [OURS, "one", "sorted", "lm-eval"]

        def place(each: tuple[str, str]) -> tuple[int, bool, int]:
            side, size = each
            return order.index(side), not size.isdigit(), int(size) if size.isdigit() else 0

        return sorted({(row["side"], row["batch"]) for row in self.rows}, key=place)


def contenders(rounds: Rounds, number: int, kinds: Sequence[Kind]) -> Iterator[tuple[str, str]]:
    """Sides and batch sizes of a round: all of them at first, then the fastest of each kind."""
    for kind in kinds:
        if number > kind.repeats:
            continue
        sizes = kind.sizes
        if number > 1 and len(sizes) > 1:
            sizes = [fastest(rounds, kind.side, sizes)]
        yield from ((kind.side, size) for size in sizes)


def fastest(rounds: Rounds, side: str, sizes: Sequence[str]) -> str:
    """The batch size that took the least time in the first round."""
    return min(sizes, key=lambda size: rounds.of(side, size)[0]["seconds"])


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[int, int]:
    """How many answers differ, and of how many; whitespace at the ends does not count, which lm-eval
    cuts off.
    """
    pairs = [
        (text.strip(), b[name]["texts"][key].strip())
        for name, part in a.items()
        for key, text in part["texts"].items()
    ]
    return sum(x != y for x, y in pairs), len(pairs)


def checked(work: Path, python: str | None, batch: str) -> dict[str, Any]:
    """Greedy answers in float32, side against side: how many differ from those of prompt by prompt."""
    one = timed("one", "1", work, None, None)["pipelines"]
    sides = {OURS: (OURS, "0"), "sorted": ("sorted", batch)}
    if python:
        sides["lm-eval"] = ("lm-eval", batch)
    unlike = {
        name: differing(one, timed(*side, work, python, None)["pipelines"])[0]
        for name, side in sides.items()
    }
    return {
        "answers": sum(len(part["texts"]) for part in one.values()),
        "unlike_one_by_one": unlike,
    }
