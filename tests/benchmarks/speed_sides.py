"""One side of the matrix comparison as a process: `python speed_sides.py SIDE WORK.json OUT.json`.

Sides: ``evalkit``; ``one``, transformers' ``generate`` prompt by prompt; ``sorted``, the same in
left-padded batches, longest prompts first. All read the same token ids, greedy, with the same ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def evalkit_side(work: dict[str, Any], _: int) -> dict[str, Any]:
    """Our engine: the base weights, then the adapter; made together, as in a run, so that the adapter
    is merged into the model that the base has left.
    """
    from evalkit.generation.base import Request

    used = {part["weights"] for part in work["pipelines"].values()}
    engines = {weights: _engine(work, weights) for weights in ("base", "tuned") if weights in used}
    found: dict[str, Any] = {}
    for weights, engine in engines.items():
        _ = engine.model
        for name, part in work["pipelines"].items():
            if part["weights"] != weights:
                continue
            asked = [Request(row["id"], tuple(row["messages"])) for row in part["rows"]]
            started = time.perf_counter()
            done = {c.id: c for c in engine.generate(asked)}
            found[name] = {
                "seconds": time.perf_counter() - started,
                "tokens": sum(c.output_tokens for c in done.values()),
                "texts": {key: c.text for key, c in done.items()},
            }
        engine.close()
    return found


def _engine(work: dict[str, Any], weights: str) -> Any:
    from evalkit.generation.base import Decoding
    from evalkit.generation.transformers_engine import TransformersGenerator

    chosen = {"adapter": Path(work["adapter"]), "adapter_id": "a"} if weights == "tuned" else {}
    return TransformersGenerator(
        Path(work["weights"]["base"]), "w", Decoding(work["new"]), dtype=work["dtype"],
        device=work["device"], **chosen,
    )  # fmt: skip


def loop_side(work: dict[str, Any], batch: int) -> dict[str, Any]:
    """transformers' ``generate`` as a careful hand would use it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found: dict[str, Any] = {}
    for weights, folder in work["weights"].items():
        tokenizer = AutoTokenizer.from_pretrained(folder)
        dtype = getattr(torch, work["dtype"])
        model: Any = (
            AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(work["device"]).eval()
        )
        for name, part in work["pipelines"].items():
            if part["weights"] != weights:
                continue
            started = time.perf_counter()
            outputs = _loop(model, tokenizer, part["rows"], work, batch)
            found[name] = {
                "seconds": time.perf_counter() - started,
                "tokens": sum(map(len, outputs.values())),
                "texts": {
                    key: tokenizer.decode(ids, skip_special_tokens=True)
                    for key, ids in outputs.items()
                },
            }
        del model
    return found


def _loop(
    model: Any, tokenizer: Any, rows: Sequence[dict[str, Any]], work: dict[str, Any], batch: int
) -> dict[str, list[int]]:
    import torch

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else work["ends"][0]
    ordered = sorted(rows, key=lambda row: -len(row["ids"])) if batch > 1 else list(rows)
    outputs: dict[str, list[int]] = {}
    for first in range(0, len(ordered), batch):
        some = ordered[first : first + batch]
        width = max(len(row["ids"]) for row in some)
        empty = [width - len(row["ids"]) for row in some]
        ids = torch.tensor([[pad] * n + row["ids"] for n, row in zip(empty, some, strict=True)])
        mask = torch.tensor([[0] * n + [1] * (width - n) for n in empty])
        with torch.inference_mode():
            made = model.generate(
                ids.to(model.device), attention_mask=mask.to(model.device), do_sample=False,
                max_new_tokens=work["new"], eos_token_id=work["ends"], pad_token_id=pad,
            )  # fmt: skip
        for row, tokens in zip(some, made[:, width:].tolist(), strict=True):
            end = next((i for i, token in enumerate(tokens) if token in work["ends"]), len(tokens))
            outputs[row["id"]] = tokens[:end]
    return outputs


SIDES = {"evalkit": evalkit_side, "one": loop_side, "sorted": loop_side}


def main() -> None:
    """Run a side and write what it said and how long it took within each pipeline."""
    side, work_file, out, batch = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    work = json.loads(Path(work_file).read_text(encoding="utf-8"))
    found = SIDES[side](work, batch)
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
