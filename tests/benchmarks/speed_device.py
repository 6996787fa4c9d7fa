"""What the GPU script measures in one process: ceilings, batches, adapters and neighbours."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from speed_common import spread
from speed_shapes import random_prompts


def in_turns(works: Sequence[Callable[[], Any]], device: str, repeats: int) -> list[list[float]]:
    """Seconds of ``repeats`` calls of each work, which take turns, after one of each that warms up;
    the device is idle at both ends of a call.
    """
    import torch

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    found: list[list[float]] = [[] for _ in works]
    for number in range(repeats + 1):
        for work, each in zip(works, found, strict=True):
            wait()
            started = time.perf_counter()
            work()
            wait()
            if number:
                each.append(time.perf_counter() - started)
    return found


def ceilings(device: str, repeats: int) -> dict[str, float]:
    """Bytes a second of a large copy (read and written) and bf16 operations a second of a product."""
    import torch

    large = device.startswith("cuda")
    source = torch.randn(2**29 if large else 2**24, device=device)
    target = torch.empty_like(source)
    size = 8192 if large else 512
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    copying, product = in_turns([lambda: target.copy_(source), lambda: a @ a], device, repeats)
    moved = 2 * source.numel() * source.element_size()
    return {
        "bytes_per_second": moved / statistics.median(copying),
        "operations_per_second": 2 * size**3 / statistics.median(product),
    }


def greedy(logits: Any, _: list[int]) -> Any:
    """The likeliest token of each row."""
    return logits.argmax(-1)


def shape_at(
    model: Any, rows: int, chosen: argparse.Namespace, limits: dict[str, float]
) -> dict[str, Any]:
    """Prompts and decoding of one batch, ours (what is shared is computed each time) and ``generate``'s."""
    import torch

    from evalkit.generation.decode import compute_prefix, decode

    prompts = random_prompts(model.config.vocab_size, rows, chosen.prompt, chosen.shared)
    shared = chosen.shared if rows > 1 else 0

    def ours(new: int) -> Any:
        prefix = compute_prefix(model, tuple(prompts[0][:shared]))
        return decode(model, prompts, [prefix] * rows, new, frozenset(), greedy)

    ids = torch.tensor(prompts, device=model.device)

    def theirs(new: int) -> Any:
        with torch.inference_mode():
            return model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new,
                min_new_tokens=new, pad_token_id=0, eos_token_id=model.config.vocab_size - 1,
            )  # fmt: skip

    works = (lambda: ours(1), lambda: ours(chosen.new), lambda: theirs(chosen.new))
    first, whole, plain = map(spread, in_turns(works, chosen.device, chosen.repeats))
    said = theirs(chosen.new)[:, chosen.prompt :].tolist()
    unlike = sum(a != b for (a, _), b in zip(ours(chosen.new), said, strict=True))
    step = (whole["median"] - first["median"]) / (chosen.new - 1)
    config, size = model.config, next(model.parameters()).element_size()
    weights = sum(p.numel() for p in model.parameters())
    # Of a prompt only the last token meets the vocabulary matrix; of a step all of them do.
    body = weights - config.vocab_size * config.hidden_size
    heads = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    read = size * (weights + rows * heads * (chosen.prompt + chosen.new / 2))
    fresh = shared + rows * (chosen.prompt - shared)
    return {
        "rows": rows, "unlike_generate": unlike, "whole_seconds": whole, "generate_seconds": plain,
        "tokens_per_second": round(rows * chosen.new / whole["median"], 1),
        "generate_tokens_per_second": round(rows * chosen.new / plain["median"], 1),
        "times_generate": round(plain["median"] / whole["median"], 3),
        "prompt_tokens_per_second": round(fresh / first["median"], 1),
        "share_of_matrix_rate": round(2 * body * fresh / first["median"] / limits["operations_per_second"], 4),
        "step_seconds": round(step, 6),
        "share_of_bandwidth": round(read / step / limits["bytes_per_second"], 4) if step > 0 else None,
    }  # fmt: skip


def adapters(model: Any, rows: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a batch with a LoRA adapter merged into the weights, and with one kept beside them.

    A model that an adapter is merged into is a model of the same shape, so the bare one stands for it.
    """
    from copy import deepcopy

    from peft import LoraConfig, get_peft_model

    from evalkit.generation.decode import compute_prefix, decode

    prompts = random_prompts(model.config.vocab_size, rows, chosen.prompt, chosen.shared)

    def batch(of: Any) -> Any:
        prefix = compute_prefix(of, tuple(prompts[0][: chosen.shared]))
        return decode(of, prompts, [prefix] * rows, chosen.new, frozenset(), greedy)

    lora = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")
    beside = get_peft_model(deepcopy(model), lora).eval()
    works = (lambda: batch(model), lambda: batch(beside))
    merged, apart = map(spread, in_turns(works, chosen.device, chosen.repeats))
    return {"rows": rows, "merged_seconds": merged, "beside_seconds": apart}


def neighbours(repeats: int, count: int = 200_000, size: int = 384) -> dict[str, Any] | None:
    """faiss on the GPU against the CPU, inner products, and our index on both with passages that a
    query may not see; None without a GPU that faiss sees.
    """
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
    works = (lambda: here.search(asked, 10), lambda: there.search(asked, 10))
    timed = dict(zip(("cpu", "gpu"), map(spread, in_turns(works, "cpu", repeats)), strict=True))
    return {
        "vectors": count, "queries": len(asked), "unlike": int(unlike.sum()),
        "in_another_order": int((found != gpu_found).sum()), "seconds": timed,
        "index_unlike": _unlike_index(vectors[:5000], asked),
    }  # fmt: skip


def _unlike_index(vectors: Any, asked: Any) -> int:
    """Queries for which our index finds something else on the GPU than on the CPU."""
    import numpy as np

    from evalkit.records import Passage
    from evalkit.retrieval import DenseIndex

    passages = [Passage(f"p{n}", "d", "r", "title", "text") for n in range(len(vectors))]
    index = DenseIndex(passages, vectors, "random")
    seen = [np.arange(len(vectors)) % 3 != number % 3 for number in range(len(asked))]
    there = index.search(asked, 10, seen)
    index._gpu = None
    return sum(a != b for a, b in zip(there, index.search(asked, 10, seen), strict=True))
