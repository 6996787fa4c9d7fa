"""Seconds per training step against peft with a plain ``Trainer``.

    EVALKIT_CACHE=DIR python tests/benchmarks/speed_train.py [--steps 6] [--repeats 5] [--dtype auto]
        [--out DIR] [OVERRIDE ...]

Both train the study's adapter on the same examples in the same order, batch size and dtype, each in a
process of its own; processes take turns. A step is timed from the end of the step before; the first,
which warms up, is left out. The losses of both must be alike. ``--steps 2 --repeats 1`` tries the
script. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from speed_common import machine, publish, shown, spread, table, versions

OURS, PLAIN = "evalkit", "peft with a plain Trainer"
TOLERANCE = 0.02
"""Share of a loss by which the sides may differ: what rounding in bfloat16 grows to in a few steps."""


def side(name: str, steps: int, dtype: str, overrides: list[str]) -> dict[str, Any]:
    """Train in this process: seconds of each step after the first, and the losses."""
    from evalkit.configuration.assemble import Experiment
    from evalkit.configuration.compose import compose, resolved
    from evalkit.machine.hardware import resolve_device, resolve_dtype

    wanted = ["experiment=quartet", f"tuning.settings.dtype={dtype}", *overrides]
    experiment = Experiment(resolved(compose(wanted)))
    settings = experiment.tuning_settings
    dtype = resolve_dtype(settings.dtype, resolve_device(settings.device))
    settings = replace(settings, dtype=dtype)
    examples = experiment.examples[: steps * settings.batch_size]
    ends: list[float] = []
    losses: list[float] = []

    def on_step(_: int, __: int, loss: float) -> None:
        ends.append(time.perf_counter())
        losses.append(loss)

    with tempfile.TemporaryDirectory() as folder:
        train = _ours if name == OURS else _plain
        train(experiment.model_weights.folder, examples, settings, Path(folder), on_step)
    return {
        "seconds": [b - a for a, b in pairwise(ends)],
        "losses": losses, "dtype": settings.dtype,
    }  # fmt: skip


def _ours(folder: Path, examples: Any, settings: Any, out: Path, on_step: Any) -> None:
    from evalkit.tuning.lora import train

    train(folder, examples, settings, out, on_step)


def _plain(folder: Path, examples: Any, settings: Any, out: Path, on_step: Any) -> None:
    """What peft's documentation shows: the model's own loss over padded prompts and answers."""
    from peft import LoraConfig, get_peft_model
    from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

    from evalkit.machine.hardware import resolve_device
    from evalkit.models.loading import load_model, load_tokenizer
    from evalkit.tuning.lora import collate, encode

    device = resolve_device(settings.device)
    tokenizer = load_tokenizer(folder)
    rows = [encode(tokenizer, example) for example in examples]
    set_seed(settings.seed)
    lora = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout,
        target_modules=settings.targets, task_type="CAUSAL_LM",
    )  # fmt: skip
    model = get_peft_model(
        load_model(folder, settings.dtype, device), lora, autocast_adapter_dtype=device != "cpu"
    )

    class Report(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                on_step(state.global_step, state.max_steps, float(logs["loss"]))

    Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(out), per_device_train_batch_size=settings.batch_size,
            num_train_epochs=settings.epochs, learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine", warmup_steps=settings.warmup_share, logging_steps=1,
            save_strategy="no", report_to=[], disable_tqdm=True, seed=settings.seed,
            data_seed=settings.seed, use_cpu=device == "cpu", remove_unused_columns=False,
            dataloader_pin_memory=False, train_sampling_strategy="group_by_length", max_grad_norm=1.0,
        ),
        train_dataset=[{"input_ids": r.ids, "labels": r.labels} for r in rows],  # type: ignore[arg-type]
        data_collator=lambda some: collate(some, tokenizer.pad_token_id),
        callbacks=[Report()],
    ).train()  # fmt: skip


def measure(name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """A side in a process of its own; it prints its findings last."""
    call = [
        sys.executable,
        __file__,
        "--side",
        name,
        "--steps",
        str(chosen.steps),
        "--dtype",
        chosen.dtype,
    ]
    done = subprocess.run([*call, *chosen.overrides], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    mean = sum(found["seconds"]) / len(found["seconds"])
    print(f"{name}: {mean:.3f} s a step", file=sys.stderr, flush=True)
    return found | {"mean": mean}


def largest_difference(ours: list[float], plain: list[float], steps: int) -> float:
    """Between the losses of a step, which must be alike; else the sides do not compute the same."""
    pairs = list(zip(ours, plain, strict=True))
    if len(pairs) != steps or any(abs(a - b) > TOLERANCE * abs(b) for a, b in pairs):
        raise SystemExit(f"the losses of {steps} steps are not alike: {ours} and {plain}")
    return max(abs(a - b) for a, b in pairs)


def main() -> None:
    """Run a side, or both in turns and report."""
    parser = argparse.ArgumentParser(description="Training against peft with a plain Trainer")
    parser.add_argument("--steps", type=int, default=6, help="of one process; at least 2")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", help="of the experiment, such as model=path")
    chosen = parser.parse_args()
    if chosen.steps < 2:
        raise SystemExit(f"--steps {chosen.steps}: the first step is not timed, so 2 at least")
    if chosen.side:
        print(json.dumps(side(chosen.side, chosen.steps, chosen.dtype, chosen.overrides)))
        return
    runs: dict[str, list[dict[str, Any]]] = {OURS: [], PLAIN: []}
    for repeat in range(chosen.repeats):
        for name in (OURS, PLAIN) if repeat % 2 == 0 else (PLAIN, OURS):
            runs[name].append(measure(name, chosen))
    steps = {name: spread([run["mean"] for run in made]) for name, made in runs.items()}
    apart = largest_difference(runs[OURS][0]["losses"], runs[PLAIN][0]["losses"], chosen.steps)
    ratio = round(steps[OURS]["median"] / steps[PLAIN]["median"], 3)
    dtype = runs[OURS][0]["dtype"]
    rows = [[PLAIN, shown(steps[PLAIN]), ""], [OURS, shown(steps[OURS]), f"{ratio:.2f}"]]
    text = (
        f"{chosen.steps} steps a process, {chosen.repeats} processes of each side, {dtype}, the study's examples"
        " and settings.\n\n"
        f"{table(['', 'seconds a step', 'share of the plain'], rows)}\n\n"
        f"The losses of a step differ by at most {apart:.1e}."
    )
    result = {
        "steps": chosen.steps, "dtype": dtype, "seconds_per_step": steps, "ratio": ratio,
        "largest_loss_difference": apart, "machine": machine(), "versions": versions(),
    }  # fmt: skip
    publish("train", "Training an adapter against a plain Trainer", text, result, chosen.out)


if __name__ == "__main__":
    main()
