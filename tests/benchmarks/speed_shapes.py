"""Models of random weights in the shapes of known ones, and the matrix over one of them."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from speed_common import spread

HERE = Path(__file__).parent
BYTES = 512  # a vocabulary above this has all tokens of the byte tokenizer

SHAPES: dict[str, dict[str, int]] = {
    # hidden, intermediate, layers, heads, key heads and head size as in Llama 3.2 1B and 3B, Llama 3.1 8B
    "1b": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
           "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128_256},
    "3b": {"hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28, "num_attention_heads": 24,
           "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 128_256},
    "8b": {"hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 32, "num_attention_heads": 32,
           "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 128_256},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "head_dim": 16, "vocab_size": BYTES},
}  # fmt: skip


def random_model(shape: dict[str, int], device: str) -> Any:
    """A Llama of this shape, made on the device in bfloat16."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **shape, max_position_embeddings=8192, tie_word_embeddings=True, pad_token_id=256, eos_token_id=257,
        bos_token_id=258,
    )  # type: ignore[arg-type]  # fmt: skip
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            torch.manual_seed(0)
            model: Any = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    return model.eval().requires_grad_(False)


def random_prompts(vocabulary: int, rows: int, length: int, shared: int) -> list[list[int]]:
    """Token ids of equal length that share their beginning."""
    draw = random.Random(0)
    beginning = [draw.randrange(vocabulary) for _ in range(shared)]
    return [
        [*beginning, *(draw.randrange(vocabulary) for _ in range(length - shared))]
        for _ in range(rows)
    ]


def matrix(chosen: Any, folder: Path) -> dict[str, Any]:
    """Whole processes: all four pipelines in one, and a process for each; seconds and answers."""
    work = _work(chosen, folder)
    plan = json.loads(work.read_text(encoding="utf-8"))
    alone = []
    for name, part in plan["pipelines"].items():
        alone.append(folder / f"{name}.json")
        alone[-1].write_text(json.dumps(plan | {"pipelines": {name: part}}), encoding="utf-8")
    together: list[float] = []
    apart: list[float] = []
    said: dict[str, Any] = {}
    for _ in range(chosen.repeats):
        for seconds, works in ((together, [work]), (apart, alone)):
            started = time.perf_counter()
            found = [_process(each, folder) for each in works]
            seconds.append(time.perf_counter() - started)
            said["one" if works == [work] else "each"] = {
                k: v for part in found for k, v in part.items()
            }
    pairs = [
        (text, said["each"][name]["texts"][key])
        for name, part in said["one"].items()
        for key, text in part["texts"].items()
    ]
    return {
        "shape": chosen.shapes.split(",")[0], "questions": chosen.questions,
        "one_process": spread(together), "process_each": spread(apart),
        "unlike": sum(a != b for a, b in pairs), "answers": len(pairs),
    }  # fmt: skip


def _process(work: Path, folder: Path) -> dict[str, Any]:
    out = folder / "out.json"
    call = [sys.executable, str(HERE / "speed_sides.py"), "evalkit", str(work), str(out), "0"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"a pipeline failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def _work(chosen: Any, folder: Path) -> Path:
    """A model, an adapter and prompts on disk, random but for the words that prompts share."""
    from peft import LoraConfig, get_peft_model

    sys.path.append(str(HERE.parent / "faulty"))
    from byte_tokenizer import byte_tokenizer

    model = random_model(SHAPES[chosen.shapes.split(",")[0]], chosen.device)
    model.save_pretrained(folder / "base", safe_serialization=True)
    byte_tokenizer().save_pretrained(folder / "base")
    lora = LoraConfig(
        r=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False
    )
    get_peft_model(model, lora).save_pretrained(folder / "adapter")
    draw = random.Random(0)
    words = [f"word{n}" for n in range(1000)]
    pipelines = {}
    for name, weights, size in (
        ("prompt_only", "base", 30), ("rag", "base", 300), ("lora", "tuned", 30), ("hybrid", "tuned", 300),
    ):  # fmt: skip
        rows = []
        for number in range(chosen.questions):
            said = " ".join(draw.choices(words, k=max(1, chosen.prompt * size // 4096)))
            messages = [
                {"role": "system", "content": "Answer in few words. " * (chosen.shared // 32 + 1)},
                {"role": "user", "content": said},
            ]
            rows.append({"id": f"q{number}", "messages": messages})
        pipelines[name] = {"weights": weights, "rows": rows}
    plan = {
        "pipelines": pipelines, "weights": {"base": str(folder / "base")}, "adapter": str(folder / "adapter"),
        "dtype": "bfloat16", "device": chosen.device, "new": chosen.new,
    }  # fmt: skip
    work = folder / "work.json"
    work.write_text(json.dumps(plan), encoding="utf-8")
    return work
