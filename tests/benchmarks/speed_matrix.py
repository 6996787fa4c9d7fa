"""The four-pipeline matrix: our engine, two loops over ``generate``, and lm-evaluation-harness.

    EVALKIT_CACHE=DIR python tests/benchmarks/speed_matrix.py [--questions 200] [--repeats 5]
        [--dtype auto] [--batches 8,16,32] [--check 40] [--work DIR] [--lm-eval-python PATH] [--quick]

Prompts, adapter and merged weights are made once by evalkit; every side gets the same. A side is timed
from the start of its processes to their end: ours and the loops are one process for the four
pipelines, lm-eval is two, one for each set of weights. The first round runs every batch size and
lm-eval's ``auto`` (stopped after --auto-limit seconds), the other rounds each kind's fastest; sides
take turns. What was measured is in DIR/rounds.jsonl, and the same command goes on from there.
Without --lm-eval-python an environment is made under DIR with pip; where that fails lm-eval is left
out and the report says so. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from speed_common import machine, publish, shown, spread, table, versions
from speed_prepare import lm_eval_python, prepare

HERE = Path(__file__).parent
OURS = "evalkit"
NAMES = {
    OURS: "evalkit",
    "one": "(a) `generate`, one prompt at a time",
    "sorted": "(b) `generate`, sorted, batches of",
    "lm-eval": "(c) lm-eval `hf`, batch size",
}


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
        return [r for r in self.rows if (r["side"], r["batch"]) == (side, batch) and r["seconds"]]


def contenders(
    rounds: Rounds, number: int, batches: Sequence[str], lm_eval: bool
) -> Iterator[tuple[str, str]]:
    """Sides and batch sizes of a round: all of them at first, then the fastest of each kind."""
    kinds = {OURS: ["0"], "sorted": list(batches), "one": ["1"]}
    if lm_eval:
        kinds |= {"lm-eval": list(batches), "lm-eval-one": ["1"]}
    for kind, sizes in kinds.items():
        side = kind.removesuffix("-one")
        if number > 1 and len(sizes) > 1:
            sizes = [fastest(rounds, side, sizes)]
        yield from ((side, size) for size in sizes)


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


def rate(row: Mapping[str, Any]) -> float:
    """Tokens per second within pipelines, loading left out."""
    parts = row["pipelines"].values()
    return float(sum(p["tokens"] for p in parts) / sum(p["seconds"] for p in parts))


def summary(rounds: Rounds, lm_eval: bool) -> tuple[list[list[str]], dict[str, Any]]:
    """Rows of the table and the same as plain values; sizes that were tried once are in there too."""
    ours = rounds.of(OURS, "0")
    base = spread([r["seconds"] for r in ours])
    base_rate = spread([rate(r) for r in ours])
    reference = rounds.of("one", "1")[0]["pipelines"]
    rows, plain = [], {}
    for side, batch in sorted({(r["side"], r["batch"]) for r in rounds.rows}, key=str):
        found = rounds.of(side, batch)
        name = NAMES[side] + (f" {batch}" if side in ("sorted", "lm-eval") else "")
        if not found:
            limit = next(
                r["limit"] for r in rounds.rows if (r["side"], r["batch"]) == (side, batch)
            )
            rows.append([name, f"not done after {limit:.0f} s", "", "", "", ""])
            plain[f"{side} {batch}"] = {"stopped_after": limit}
            continue
        seconds = spread([r["seconds"] for r in found])
        inside = spread([rate(r) for r in found]) if side != "lm-eval" else None
        unlike, of = differing(found[0]["pipelines"], reference)
        rows.append(
            [
                name, shown(seconds), f"{seconds['median'] / base['median']:.2f}",
                shown(inside) if inside else "", f"{base_rate['median'] / inside['median']:.2f}" if inside else "",
                f"{unlike} of {of}",
            ]
        )  # fmt: skip
        plain[f"{side} {batch}"] = {
            "seconds": seconds, "times_ours": round(seconds["median"] / base["median"], 3),
            "tokens_per_second": inside, "unlike_one_by_one": unlike, "answers": of,
        }  # fmt: skip
    return rows, plain


def checked(work: Path, python: str | None, batches: Sequence[str]) -> dict[str, Any]:
    """Greedy answers in float32, side against side: how many differ from those of prompt by prompt."""
    one = timed("one", "1", work, None, None)["pipelines"]
    sides = {"evalkit": (OURS, "0"), "sorted": ("sorted", batches[0])}
    if python:
        sides["lm-eval"] = ("lm-eval", batches[0])
    unlike = {
        name: differing(one, timed(*side, work, python, None)["pipelines"])[0]
        for name, side in sides.items()
    }
    return {
        "answers": sum(len(part["texts"]) for part in one.values()),
        "unlike_one_by_one": unlike,
    }


def main() -> None:
    """Prepare, measure in turns, compare and report."""
    parser = argparse.ArgumentParser(description="The matrix against loops and lm-eval")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--check", type=int, default=40, help="questions compared in float32; 0 = none"
    )
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--batches", default="8,16,32")
    parser.add_argument(
        "--auto-limit", type=float, default=180.0, help="seconds for lm-eval's auto; 0 = not tried"
    )
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "evalkit-speed-matrix"
    )
    parser.add_argument(
        "--lm-eval-python", help="an interpreter with lm-eval; none = without lm-eval"
    )
    parser.add_argument(
        "--out", type=Path, help="where the report goes; default reports/performance"
    )
    parser.add_argument(
        "--quick", action="store_true", help="8 questions, 1 repeat, one batch size"
    )
    parser.add_argument("overrides", nargs="*", help="of the experiment, such as model=path")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.questions, chosen.repeats, chosen.check, chosen.batches = 8, 1, 8, "8"
        chosen.auto_limit = 0.0
    batches = chosen.batches.split(",")
    python = (
        None
        if chosen.lm_eval_python == "none"
        else lm_eval_python(chosen.lm_eval_python, chosen.work)
    )
    work = prepare(chosen.work, chosen.questions, chosen.dtype, chosen.overrides)
    rounds = Rounds(work.parent / "rounds.jsonl")
    for number in range(1, chosen.repeats + 1):
        for side, batch in list(contenders(rounds, number, batches, python is not None)):
            rounds.measure(number, side, batch, work=work, python=python, limit=None)
    if python and chosen.auto_limit:
        rounds.measure(1, "lm-eval", "auto", work=work, python=python, limit=chosen.auto_limit)
    check = None
    if chosen.check:
        exact = prepare(chosen.work, chosen.check, "float32", chosen.overrides)
        check = checked(exact, python, batches)
    rows, plain = summary(rounds, python is not None)
    plan = json.loads(work.read_text(encoding="utf-8"))
    head = [
        "side",
        "whole matrix, s",
        "times ours",
        "tokens/s in a pipeline",
        "ours is faster by",
        "answers unlike (a)",
    ]
    text = (
        f"{chosen.questions} questions, four pipelines, {plan['dtype']} on {plan['device']}, at most"
        f" {plan['new']} new tokens, greedy.\n\n{table(head, rows)}"
    )
    if check:
        text += f"\n\nIn float32, of {check['answers']} answers unlike (a): " + ", ".join(
            f"{name} {n}" for name, n in check["unlike_one_by_one"].items()
        )
    if not python:
        text += "\n\nlm-eval was not at hand and is left out."
    result = {
        "questions": chosen.questions, "dtype": plan["dtype"], "sides": plain, "float32": check,
        "machine": machine(), "versions": versions() | ({"lm-eval": "0.4.13"} if python else {}),
    }  # fmt: skip
    publish("matrix", "The four-pipeline matrix, side by side", text, result, chosen.out)


if __name__ == "__main__":
    main()
