"""The engine on a GPU, with models of random weights: one command, no network.

    python tests/benchmarks/speed_gpu.py [--shapes 1b,3b,8b] [--rows 1,32,128,256] [--repeats 5]
        [--prompt 512] [--shared 128] [--new 64] [--device cuda] [--skip matrix,faiss] [--out DIR]

1. Copy bandwidth and bf16 matrix rate of the device, measured: the two ceilings.
2. Each shape and number of rows: prompts (tokens a second, share of the matrix rate) and decoding
   (tokens a second, share of the bandwidth, counting weights and keys and values read in each step),
   beside transformers' ``generate`` on the same padded batch.
3. The four-pipeline matrix of the first shape: one process against a process per pipeline, whole
   processes, the same answers.
4. faiss on the GPU against the CPU: equal neighbours, seconds of both.

Where there is no GPU the parts that need one are left out and the report says so; ``--shapes tiny
--device cpu`` tries the script. Weights are random, which speed does not see. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speed_common import machine, publish, shown, spread, table, versions
from speed_shapes import SHAPES, matrix, random_model, random_prompts


def seconds(work: Callable[[], Any], device: str, repeats: int) -> list[float]:
    """Seconds of each of ``repeats`` calls after one that warms up, the device idle at both ends."""
    import torch

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    found = []
    for number in range(repeats + 1):
        wait()
        started = time.perf_counter()
        work()
        wait()
        if number:
            found.append(time.perf_counter() - started)
    return found


def ceilings(device: str, repeats: int) -> dict[str, float]:
    """Bytes a second of a large copy (read and written) and bf16 operations a second of a product."""
    import torch

    large = device.startswith("cuda")
    source = torch.randn(2**29 if large else 2**24, device=device)
    target = torch.empty_like(source)
    copying = statistics.median(seconds(lambda: target.copy_(source), device, repeats))
    size = 8192 if large else 512
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    product = statistics.median(seconds(lambda: a @ a, device, repeats))
    return {
        "bytes_per_second": 2 * source.numel() * source.element_size() / copying,
        "operations_per_second": 2 * size**3 / product,
    }


def shape_at(
    model: Any, rows: int, chosen: argparse.Namespace, limits: dict[str, float]
) -> dict[str, Any]:
    """Prompts and decoding of one batch, ours and ``generate``'s."""
    import torch

    from evalkit.generation.decode import compute_prefix, decode

    prompts = random_prompts(model.config.vocab_size, rows, chosen.prompt, chosen.shared)
    prefix = compute_prefix(model, tuple(prompts[0][: chosen.shared]))

    def ours(new: int) -> Any:
        greedy: Any = lambda logits, _: logits.argmax(-1)  # noqa: E731
        return decode(model, prompts, [prefix] * rows, new, frozenset(), greedy)

    ids = torch.tensor(prompts, device=model.device)

    def theirs(new: int) -> Any:
        with torch.inference_mode():
            return model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new,
                min_new_tokens=new, pad_token_id=0, eos_token_id=model.config.vocab_size - 1,
            )  # fmt: skip

    first = spread(seconds(lambda: ours(1), chosen.device, chosen.repeats))
    whole = spread(seconds(lambda: ours(chosen.new), chosen.device, chosen.repeats))
    plain = spread(seconds(lambda: theirs(chosen.new), chosen.device, chosen.repeats))
    step = (whole["median"] - first["median"]) / (chosen.new - 1)
    config, size = model.config, next(model.parameters()).element_size()
    weights = sum(p.numel() for p in model.parameters())
    # Of a prompt only the last token meets the vocabulary matrix; of a step all of them do.
    body = weights - config.vocab_size * config.hidden_size
    heads = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    read = size * (weights + rows * heads * (chosen.prompt + chosen.new / 2))
    fresh = rows * (chosen.prompt - chosen.shared)
    return {
        "rows": rows, "whole_seconds": whole, "generate_seconds": plain,
        "tokens_per_second": round(rows * chosen.new / whole["median"], 1),
        "generate_tokens_per_second": round(rows * chosen.new / plain["median"], 1),
        "times_generate": round(plain["median"] / whole["median"], 3),
        "prompt_tokens_per_second": round(fresh / first["median"], 1),
        "share_of_matrix_rate": round(2 * body * fresh / first["median"] / limits["operations_per_second"], 4),
        "step_seconds": round(step, 6),
        "share_of_bandwidth": round(read / step / limits["bytes_per_second"], 4) if step > 0 else None,
    }  # fmt: skip


def neighbours(repeats: int, count: int = 200_000, size: int = 384) -> dict[str, Any] | None:
    """faiss on the GPU against the CPU, inner products; None without a GPU that faiss sees."""
    import faiss
    import numpy as np

    if not hasattr(faiss, "get_num_gpus") or faiss.get_num_gpus() == 0:
        return None
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count, size), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asked = vectors[:1000] + rng.standard_normal((1000, size), dtype=np.float32) / 50
    here = faiss.IndexFlatIP(size)
    here.add(vectors)
    there = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, here)
    scores, found = here.search(asked, 10)
    gpu_scores, gpu_found = there.search(asked, 10)
    # Two products that are equal but for rounding may stand in either order.
    unlike = (found != gpu_found) & (np.abs(scores - gpu_scores) > 1e-4)
    timed = {
        name: spread(seconds(lambda index=index: index.search(asked, 10), "cpu", repeats))
        for name, index in (("cpu", here), ("gpu", there))
    }
    return {
        "vectors": count, "queries": len(asked), "unlike": int(unlike.sum()),
        "in_another_order": int((found != gpu_found).sum()), "seconds": timed,
    }  # fmt: skip


def main() -> None:
    """Measure what this machine can, and report that alone."""
    import torch

    parser = argparse.ArgumentParser(description="The engine on a GPU")
    parser.add_argument("--shapes", default="1b,3b,8b", help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--rows", default="1,32,128,256")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--shared", type=int, default=128)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--questions", type=int, default=200, help="of each pipeline of the matrix")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--skip", default="", help="parts to leave out: matrix, faiss")
    parser.add_argument(
        "--out", type=Path, help="where the report goes; default reports/performance"
    )
    chosen = parser.parse_args()
    if chosen.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here; `--shapes tiny --device cpu` tries the script")
    limits = ceilings(chosen.device, chosen.repeats)
    text = (
        f"Prompts of {chosen.prompt} tokens, of which {chosen.shared} are shared; {chosen.new} new tokens; random"
        f" weights in bfloat16 on {chosen.device}. Ceilings, measured: {limits['bytes_per_second'] / 1e12:.3g} TB/s,"
        f" {limits['operations_per_second'] / 1e12:.3g} TFLOP/s."
    )
    shapes: dict[str, Any] = {}
    lines = []
    for name in chosen.shapes.split(","):
        model = random_model(SHAPES[name], chosen.device)
        shapes[name] = [shape_at(model, int(r), chosen, limits) for r in chosen.rows.split(",")]
        del model
        if chosen.device.startswith("cuda"):
            torch.cuda.empty_cache()
        for at in shapes[name]:
            share = at["share_of_bandwidth"]
            lines.append(
                [
                    name, at["rows"], f"{at['tokens_per_second']:.0f}", f"{at['times_generate']:.2f}",
                    f"{at['prompt_tokens_per_second']:.0f}", f"{at['share_of_matrix_rate']:.0%}",
                    f"{at['step_seconds'] * 1000:.2f}", "" if share is None else f"{share:.0%}",
                ]
            )  # fmt: skip
    head = [
        "shape",
        "rows",
        "tokens/s",
        "times `generate`",
        "prompt tokens/s",
        "of matrix rate",
        "ms a step",
        "of bandwidth",
    ]
    text += f"\n\n{table(head, lines)}"
    skipped, processes, faiss_found = chosen.skip.split(","), None, None
    if "matrix" not in skipped:
        with tempfile.TemporaryDirectory() as folder:
            processes = matrix(chosen, Path(folder))
        one, each = processes["one_process"], processes["process_each"]
        text += (
            f"\n\nThe matrix of {chosen.questions} questions, whole processes: one process {shown(one)} s,"
            f" a process per pipeline {shown(each)} s;"
            f" {processes['unlike']} of {processes['answers']} answers differ."
        )
    if "faiss" not in skipped:
        faiss_found = neighbours(chosen.repeats)
        text += (
            "\n\nfaiss saw no GPU."
            if faiss_found is None
            else (
                f"\n\nfaiss, {faiss_found['queries']} queries among {faiss_found['vectors']} vectors: GPU"
                f" {shown(faiss_found['seconds']['gpu'])} s, CPU {shown(faiss_found['seconds']['cpu'])} s;"
                f" {faiss_found['unlike']} neighbours differ."
            )
        )
    result = {
        "device": chosen.device, "ceilings": limits, "shapes": shapes, "matrix": processes,
        "faiss": faiss_found, "machine": machine(), "versions": versions("faiss-gpu", "faiss-cpu"),
    }  # fmt: skip
    on_gpu = chosen.device.startswith("cuda")
    title = "The engine on a GPU" if on_gpu else "A trial of the GPU script, without a GPU"
    publish("gpu" if on_gpu else "gpu_trial", title, text, result, chosen.out)


if __name__ == "__main__":
    main()
