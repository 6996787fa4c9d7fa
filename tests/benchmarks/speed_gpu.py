"""The engine on a GPU, with models of random weights: one command, no network.

    python tests/benchmarks/speed_gpu.py [--shapes 1b,3b,8b] [--rows 1,32,128,256] [--repeats 5]
        [--prompt 512] [--shared 128] [--new 64] [--device cuda] [--skip matrix,faiss] [--out DIR]

1. Copy bandwidth and bf16 matrix rate of the device, measured: the two ceilings.
2. Each shape and number of rows: prompts (tokens a second, share of the matrix rate) and decoding
   (tokens a second, share of the bandwidth, counting weights and keys and values read in each step),
   beside transformers' ``generate`` on the same padded batch; how many of their tokens differ.
3. Of the first shape: an adapter merged into the weights against the same kept beside them.
4. Of the first shape: batches whose rows leave against transformers' continuous batching.
5. The four-pipeline matrix of the first shape: one process against a process per pipeline, whole
   processes, the same answers.
6. faiss on the GPU against the CPU: equal neighbours, seconds of both.

Sides take turns. Where there is no GPU the parts that need one are left out and the report says so; ``--shapes tiny
--device cpu`` tries the script. Weights are random, which speed does not see. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speed_common import machine, publish, shown, table, versions
from speed_continuous import continuous
from speed_device import adapters, ceilings, neighbours, shape_at
from speed_shapes import SHAPES, matrix, random_model

HEAD = [
    "shape",
    "rows",
    "tokens/s",
    "times `generate`",
    "rows unlike it",
    "prompt tokens/s",
    "of matrix rate",
    "ms a step",
    "of bandwidth",
]


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="The engine on a GPU")
    parser.add_argument("--shapes", default="1b,3b,8b", help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--rows", default="1,32,128,256")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--shared", type=int, default=128)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--questions", type=int, default=200, help="of each pipeline of the matrix")
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--skip", default="", help="parts to leave out: adapters, continuous, matrix, faiss"
    )
    parser.add_argument("--out", type=Path, help="default reports/performance")
    return parser.parse_args()


def measured(chosen: argparse.Namespace, limits: dict[str, float]) -> dict[str, Any]:
    """Every shape at every number of rows; adapters and continuous batching with the first."""
    import torch

    shapes: dict[str, Any] = {}
    first: dict[str, Any] = {"adapters": None, "continuous": None}
    wanted = set(first) - set(chosen.skip.split(","))
    for name in chosen.shapes.split(","):
        model = random_model(SHAPES[name], chosen.device)
        rows = [int(count) for count in chosen.rows.split(",")]
        shapes[name] = [shape_at(model, count, chosen, limits) for count in rows]
        if len(shapes) == 1:
            for part, work in (("adapters", adapters), ("continuous", continuous)):
                first[part] = work(model, rows[-1], chosen) if part in wanted else None
        del model
        if chosen.device.startswith("cuda"):
            torch.cuda.empty_cache()
    return {"shapes": shapes} | first


def row(name: str, at: Mapping[str, Any]) -> list[str]:
    """A row of the table."""
    share = at["share_of_bandwidth"]
    return [
        name, str(at["rows"]), f"{at['tokens_per_second']:.0f}", f"{at['times_generate']:.2f}",
        str(at["unlike_generate"]), f"{at['prompt_tokens_per_second']:.0f}",
        f"{at['share_of_matrix_rate']:.0%}", f"{at['step_seconds'] * 1000:.2f}",
        "" if share is None else f"{share:.0%}",
    ]  # fmt: skip


def told(chosen: argparse.Namespace, found: Mapping[str, Any]) -> str:
    """The report's text, of the parts that were measured."""
    limits, skipped = found["ceilings"], chosen.skip.split(",")
    lines = [row(name, at) for name, each in found["shapes"].items() for at in each]
    text = [
        f"Prompts of {chosen.prompt} tokens, of which {chosen.shared} are shared; {chosen.new} new tokens; random"
        f" weights in bfloat16 on {chosen.device}; {chosen.repeats} runs of each side. Ceilings, measured:"
        f" {limits['bytes_per_second'] / 1e12:.3g} TB/s, {limits['operations_per_second'] / 1e12:.3g} TFLOP/s.",
        table(HEAD, lines),
        "Random weights put many tokens close together, so that rounding in another order can pick another.",
    ]
    if beside := found["adapters"]:
        text.append(
            f"A batch of {beside['rows']} with an adapter merged into the weights"
            f" {shown(beside['merged_seconds'])} s, with one kept beside them {shown(beside['beside_seconds'])} s."
        )
    if refilled := found["continuous"]:
        text.append(
            f"{refilled['prompts']} prompts with {refilled['tokens']} new tokens, of 1 to {chosen.new} each:"
            f" batches of {refilled['rows']} whose rows leave {shown(refilled['batches_seconds'])} s,"
            f" transformers' continuous batching (sdpa) {shown(refilled['continuous_seconds'])} s;"
            f" {refilled['unlike']} answers differ."
        )
    if processes := found["matrix"]:
        text.append(
            f"The matrix of {chosen.questions} questions, whole processes: one process"
            f" {shown(processes['one_process'])} s, a process per pipeline {shown(processes['process_each'])} s;"
            f" {processes['unlike']} of {processes['answers']} answers differ."
        )
    if near := found["faiss"]:
        text.append(
            f"faiss, {near['queries']} queries among {near['vectors']} vectors: GPU"
            f" {shown(near['seconds']['gpu'])} s, CPU {shown(near['seconds']['cpu'])} s;"
            f" {near['unlike']} neighbours differ, and {near['index_unlike']} of our index's answers."
        )
    elif "faiss" not in skipped:
        text.append("faiss saw no GPU.")
    return "\n\n".join(text)


def main() -> None:
    """Measure what this machine can, and report that alone."""
    import torch

    chosen = arguments()
    if chosen.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here; `--shapes tiny --device cpu` tries the script")
    skipped = chosen.skip.split(",")
    limits = ceilings(chosen.device, chosen.repeats)
    found: dict[str, Any] = {"device": chosen.device, "ceilings": limits}
    found |= measured(chosen, limits) | {"matrix": None, "faiss": None}
    if "matrix" not in skipped:
        with tempfile.TemporaryDirectory() as folder:
            found["matrix"] = matrix(chosen, Path(folder))
    if "faiss" not in skipped:
        found["faiss"] = neighbours(chosen.repeats)
    result = found | {"machine": machine(), "versions": versions("faiss-gpu", "faiss-cpu")}
    on_gpu = chosen.device.startswith("cuda")
    title = "The engine on a GPU" if on_gpu else "A trial of the GPU script, without a GPU"
    publish("gpu" if on_gpu else "gpu_trial", title, told(chosen, found), result, chosen.out)


if __name__ == "__main__":
    main()
