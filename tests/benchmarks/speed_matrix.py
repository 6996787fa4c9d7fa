"""The four-pipeline matrix: our engine, two loops over ``generate``, and lm-evaluation-harness.

    EVALKIT_CACHE=DIR python tests/benchmarks/speed_matrix.py [--questions 200] [--repeats 5]
        [--repeats-one N] [--repeats-sorted N] [--repeats-lm-eval N] [--repeats-lm-eval-one N]
        [--batches 8,16,32] [--lm-eval-batches 8,16,32] [--auto-limit 180] [--check 40] [--dtype auto]
        [--work DIR] [--lm-eval-python PATH] [--out DIR] [--quick] [OVERRIDE ...]

Prompts, adapter and merged weights are made once by evalkit; every side gets the same. A side is timed
from the start of its processes to their end: ours and the loops are one process for the four
pipelines, lm-eval is two, one for each set of weights. Sides take turns. The first round runs every
batch size, the other rounds the fastest of each kind: of the sorted loop (--batches) and of lm-eval
(--lm-eval-batches), which also runs at batch size 1, and once at ``auto`` (stopped after --auto-limit
seconds; 0 = not tried). Prompt by prompt takes long, so the rounds of each kind can be given: the
report says on how many runs each figure rests. What was measured is in rounds.jsonl beside the prompts
under --work, in a folder for each state of our code, and the same command goes on from there. Without
--lm-eval-python an environment is made under --work by pip; ``none``, or an index that cannot be reached,
leaves lm-eval out. ``--quick --lm-eval-python none`` tries the script. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speed_common import machine, publish, shown, spread, table, versions
from speed_others import python_with, version_of
from speed_prepare import prepare
from speed_rounds import OURS, Kind, Rounds, checked, contenders, differing

LM_EVAL = "0.4.13"
NAMES = {
    OURS: "evalkit",
    "one": "(a) `generate`, one prompt at a time",
    "sorted": "(b) `generate`, sorted, batches of",
    "lm-eval": "(c) lm-eval `hf`, batch size",
}
HEAD = [
    "side",
    "runs",
    "whole matrix, s",
    "times ours",
    "tokens/s in a pipeline",
    "ours is faster by",
    "answers unlike (a)",
]


def rate(row: Mapping[str, Any]) -> float:
    """Tokens per second within pipelines, loading left out."""
    parts = row["pipelines"].values()
    return float(sum(p["tokens"] for p in parts) / sum(p["seconds"] for p in parts))


def summary(rounds: Rounds) -> tuple[list[list[str]], dict[str, Any]]:
    """Rows of the table and the same as plain values; sizes that were tried once are in there too."""
    ours = rounds.of(OURS, "0")
    base = spread([r["seconds"] for r in ours])
    base_rate = spread([rate(r) for r in ours])
    reference = rounds.of("one", "1")[0]["pipelines"]
    rows, plain = [], {}
    for side, batch in rounds.tried():
        found = rounds.of(side, batch)
        name = NAMES[side] + (f" {batch}" if side in ("sorted", "lm-eval") else "")
        if not found:
            limit = next(
                r["limit"] for r in rounds.rows if (r["side"], r["batch"]) == (side, batch)
            )
            rows.append([name, "1", f"not done after {limit:.0f} s", "", "", "", ""])
            plain[f"{side} {batch}"] = {"stopped_after": limit}
            continue
        seconds = spread([r["seconds"] for r in found])
        inside = spread([rate(r) for r in found]) if side != "lm-eval" else None
        unlike, of = differing(found[0]["pipelines"], reference)
        rows.append(
            [
                name, str(len(found)), shown(seconds), f"{seconds['median'] / base['median']:.2f}",
                shown(inside) if inside else "", f"{base_rate['median'] / inside['median']:.2f}" if inside else "",
                f"{unlike} of {of}",
            ]
        )  # fmt: skip
        plain[f"{side} {batch}"] = {
            "seconds": seconds, "times_ours": round(seconds["median"] / base["median"], 3),
            "tokens_per_second": inside, "unlike_one_by_one": unlike, "answers": of,
        }  # fmt: skip
    return rows, plain


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="The matrix against loops and lm-eval")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5, help="rounds, where nothing else is said")
    for name, what in (
        ("one", "of prompt by prompt"),
        ("sorted", "of the sorted loop"),
        ("lm-eval", "of lm-eval's best batch size"),
    ):
        parser.add_argument(f"--repeats-{name}", type=_from_one, help=f"rounds {what}")
    parser.add_argument(
        "--repeats-lm-eval-one", type=int, help="rounds of lm-eval at batch size 1; 0 = not tried"
    )
    parser.add_argument(
        "--check", type=int, default=40, help="questions compared in float32; 0 = none"
    )
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--batches", default="8,16,32", help="of the sorted loop")
    parser.add_argument(
        "--lm-eval-batches", default="8,16,32", help="of lm-eval; 1 is tried apart from them"
    )
    parser.add_argument(
        "--auto-limit", type=float, default=180.0, help="seconds for lm-eval's auto; 0 = not tried"
    )
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "evalkit-speed-matrix"
    )
    parser.add_argument(
        "--lm-eval-python", help="an interpreter with lm-eval; none = without lm-eval"
    )
    parser.add_argument("--out", type=Path, help="default reports/performance")
    parser.add_argument(
        "--quick", action="store_true", help="8 questions, 1 repeat, one batch size"
    )
    parser.add_argument("overrides", nargs="*", help="of the experiment, such as model=path")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.questions, chosen.repeats, chosen.check, chosen.auto_limit = 8, 1, 8, 0.0
        chosen.batches = chosen.lm_eval_batches = "8"
    return chosen


def _from_one(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of rounds from 1")
    return count


def kinds_of(chosen: argparse.Namespace, lm_eval: bool) -> list[Kind]:
    """The sides that take turns, with their batch sizes and rounds."""
    kinds = [
        Kind(OURS, ["0"], chosen.repeats),
        Kind("sorted", chosen.batches.split(","), chosen.repeats_sorted or chosen.repeats),
        Kind("one", ["1"], chosen.repeats_one or chosen.repeats),
    ]
    if lm_eval:
        sizes = [size for size in chosen.lm_eval_batches.split(",") if size != "1"]
        kinds.append(Kind("lm-eval", sizes, chosen.repeats_lm_eval or chosen.repeats))
        one = chosen.repeats if chosen.repeats_lm_eval_one is None else chosen.repeats_lm_eval_one
        kinds.append(Kind("lm-eval", ["1"], one))
    return kinds


def told(
    chosen: argparse.Namespace,
    plan: Mapping[str, Any],
    rows: list[list[str]],
    check: dict[str, Any] | None,
    lm_eval: str | None,
) -> str:
    """The report's text."""
    text = (
        f"{chosen.questions} questions, four pipelines, {plan['dtype']} on {plan['device']}, at most"
        f" {plan['new']} new tokens, greedy. `runs` are the whole processes that a row's figures are the medians"
        f" of; of several batch sizes the fastest in the first round was run again.\n\n{table(HEAD, rows)}"
    )
    if check:
        text += f"\n\nIn float32, of {check['answers']} answers unlike (a): " + ", ".join(
            f"{name} {n}" for name, n in check["unlike_one_by_one"].items()
        )
    if lm_eval is None:
        return f"{text}\n\nlm-eval was not at hand and is left out."
    auto = f"; `auto` was given {chosen.auto_limit:g} s" if chosen.auto_limit else ""
    return f"{text}\n\nlm-eval is {lm_eval}{auto}."


def main() -> None:
    """Prepare, measure in turns, compare and report."""
    chosen = arguments()
    python = python_with("lm-eval", f"lm-eval[hf]=={LM_EVAL}", chosen.lm_eval_python, chosen.work)
    work = prepare(chosen.work, chosen.questions, chosen.dtype, chosen.overrides)
    rounds, kinds = Rounds(work.parent / "rounds.jsonl"), kinds_of(chosen, python is not None)
    for number in range(1, max(kind.repeats for kind in kinds) + 1):
        for side, batch in list(contenders(rounds, number, kinds)):
            rounds.measure(number, side, batch, work=work, python=python, limit=None)
    if python and chosen.auto_limit:
        rounds.measure(1, "lm-eval", "auto", work=work, python=python, limit=chosen.auto_limit)
    check = None
    if chosen.check:
        exact = prepare(chosen.work, chosen.check, "float32", chosen.overrides)
        check = checked(exact, python, chosen.batches.split(",")[0])
    rows, plain = summary(rounds)
    plan = json.loads(work.read_text(encoding="utf-8"))
    lm_eval = version_of("lm-eval", python) if python else None
    result = {
        "questions": chosen.questions, "dtype": plan["dtype"], "sides": plain, "float32": check,
        "machine": machine(), "versions": versions() | ({"lm-eval": lm_eval} if lm_eval else {}),
    }  # fmt: skip
    text = told(chosen, plan, rows, check, lm_eval)
    publish("matrix", "The four-pipeline matrix, side by side", text, result, chosen.out)
    if check and check["unlike_one_by_one"][OURS]:
        raise SystemExit("in float32 our answers are not those of prompt by prompt")


if __name__ == "__main__":
    main()
