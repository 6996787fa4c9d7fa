"""LoRA tuning with peft and the transformers Trainer, on answer tokens only.

LoRA: Hu et al. 2021, arXiv 2106.09685. The loss is taken on the completion alone, and only the
hidden states of completion tokens go through the vocabulary matrix: on a small model that matrix
is a quarter of the work, and prompts are ten times as long as answers.
"""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.chat import render_chat
from evalkit.errors import ConfigError
from evalkit.machine.hardware import resolve_device, resolve_dtype
from evalkit.models.loading import load_model, load_tokenizer
from evalkit.tuning.examples import Example

log = logging.getLogger(__name__)
TUNING_VERSION = "1"

_CHANGES_LOGITS = re.compile(
    r"logits?_.*(scal|cap|bias|mult)|^softcap|(lm_head|output)_multiplier|final_logit"
)


@dataclass(frozen=True)
class LoraSettings:
    """Hyperparameters; ``targets`` is what peft's ``target_modules`` takes."""

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: str = "all-linear"
    learning_rate: float = 1e-3
    epochs: float = 1.0
    batch_size: int = 4
    warmup_share: float = 0.1
    max_length: int = 1024
    seed: int = 0
    dtype: str = "auto"
    device: str = "auto"


@dataclass(frozen=True)
class TrainingReport:
    """What training cost and how the loss went; ``skipped`` names examples over ``max_length``."""

    seconds: float
    steps: int
    examples: int
    tokens: int
    losses: tuple[float, ...]
    skipped: tuple[str, ...] = ()
    trainable_parameters: int = 0


@dataclass(frozen=True)
class Encoded:
    """Token ids of prompt and completion; ``labels`` is -100 on the prompt."""

    id: str
    ids: tuple[int, ...]
    labels: tuple[int, ...] = field(repr=False)


def encode(tokenizer: Any, example: Example) -> Encoded:
    """Prompt by the chat template, completion and end token after it; labels on the latter only."""
    prompt = tokenizer(render_chat(tokenizer, example.messages), add_special_tokens=False)[
        "input_ids"
    ]
    answer = tokenizer(example.completion, add_special_tokens=False)["input_ids"]
    answer = [*answer, tokenizer.eos_token_id]
    return Encoded(example.id, (*prompt, *answer), (*([-100] * len(prompt)), *answer))


def train(
    folder: Path,
    examples: Sequence[Example],
    settings: LoraSettings,
    out: Path,
    on_step: Callable[[int, int, float], None] | None = None,
    *,
    trust_remote_code: bool = False,
) -> TrainingReport:
    """Train an adapter on ``examples`` and write it (safetensors) to ``out``.

    ``on_step(step, steps, loss)`` is called after every optimiser step. The same inputs on the
    same machine give the same bytes.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

    device = resolve_device(settings.device)
    tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
    encoded = [encode(tokenizer, e) for e in examples]
    fitting = [e for e in encoded if len(e.ids) <= settings.max_length]
    skipped = tuple(e.id for e in encoded if len(e.ids) > settings.max_length)
    if not fitting:
        raise ConfigError(
            f"all {len(encoded)} training examples are longer than tuning.max_length={settings.max_length} tokens",
            todo="raise tuning.max_length or shorten the passages",
        )
    if skipped:
        log.warning(
            "%d training examples over tuning.max_length were left out: %s",
            len(skipped),
            skipped[:5],
        )
    set_seed(settings.seed)
    model = load_model(
        folder, resolve_dtype(settings.dtype, device), device, trust_remote_code=trust_remote_code
    )
    lora = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout,
        target_modules=settings.targets, task_type="CAUSAL_LM",
    )  # fmt: skip
    peft_model = get_peft_model(model, lora, autocast_adapter_dtype=device != "cpu")
    trainable = sum(p.numel() for p in peft_model.parameters() if p.requires_grad)
    losses: list[float] = []

    class AnswerLossTrainer(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, **_):  # type: ignore
            loss = answer_loss(
                model, inputs["input_ids"], inputs["attention_mask"], inputs["labels"]
            )
            return (loss, {"loss": loss}) if return_outputs else loss

    class Report(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                losses.append(float(logs["loss"]))
                if on_step:
                    on_step(state.global_step, state.max_steps, losses[-1])

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, per_device_train_batch_size=settings.batch_size, num_train_epochs=settings.epochs,
            learning_rate=settings.learning_rate, lr_scheduler_type="cosine", warmup_steps=settings.warmup_share,
            logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True, seed=settings.seed,
            data_seed=settings.seed, use_cpu=device == "cpu", remove_unused_columns=False,
            dataloader_pin_memory=False, train_sampling_strategy="group_by_length", max_grad_norm=1.0,
        )  # fmt: skip
        use_one_device(arguments)
        trainer = AnswerLossTrainer(
            model=peft_model,
            args=arguments,
            train_dataset=[{"input_ids": e.ids, "labels": e.labels} for e in fitting],  # type: ignore[arg-type]
            data_collator=lambda rows: collate(rows, tokenizer.pad_token_id),
            callbacks=[Report()],
        )
        trainer.pop_callback(_printer())
        outcome = trainer.train()
    peft_model.save_pretrained(str(out), safe_serialization=True)
    del trainer, peft_model, model
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    tokens = sum(len(e.ids) for e in fitting)
    return TrainingReport(
        seconds=time.perf_counter() - started, steps=int(outcome.global_step), examples=len(fitting),
        tokens=int(tokens * settings.epochs), losses=tuple(losses), skipped=skipped,
        trainable_parameters=trainable,
    )  # fmt: skip


def use_one_device(arguments: Any) -> None:
    """Where there are several GPUs the Trainer would wrap the model in DataParallel.

    The loss reaches into the model, and batches split over devices would not repeat to the bit.
    The Trainer sets the same field where it wants no DataParallel itself.
    """
    arguments._n_gpu = min(arguments.n_gpu, 1)


def _printer() -> Any:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback


def collate(rows: Sequence[dict[str, Sequence[int]]], pad: int) -> dict[str, Any]:
    """Right-padded tensors of shape (rows, longest row); labels are padded with -100."""
    import torch

    width = max(len(r["input_ids"]) for r in rows)
    filled = [width - len(r["input_ids"]) for r in rows]
    return {
        "input_ids": torch.tensor(
            [[*r["input_ids"], *[pad] * n] for r, n in zip(rows, filled, strict=True)]
        ),
        "attention_mask": torch.tensor([[1] * (width - n) + [0] * n for n in filled]),
        "labels": torch.tensor(
            [[*r["labels"], *[-100] * n] for r, n in zip(rows, filled, strict=True)]
        ),
    }


def changes_logits(config: Any) -> bool:
    """Whether the configuration scales, caps or shifts logits after the vocabulary matrix.

    Found by name (``logit_scale``, ``logits_scaling``, ``final_logit_softcapping``,
    ``lm_head_multiplier`` ...), since each family has its own. A match too many costs time only.
    """
    values = config.get_text_config().to_dict()
    return any(
        _CHANGES_LOGITS.search(k) and v not in (None, False, 1, 1.0) for k, v in values.items()
    )


def answer_loss(model: Any, input_ids: Any, attention_mask: Any, labels: Any) -> Any:
    """Mean cross-entropy over the labelled tokens, in float32.

    Equals the model's own shifted loss; the vocabulary matrix is applied to those tokens alone.
    Models that do more to their logits than that (scale them, cap them) compute their own loss.
    """
    import torch

    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    if changes_logits(causal.config):
        return model(
            input_ids=input_ids, attention_mask=attention_mask, labels=labels, use_cache=False
        ).loss
    hidden = causal.base_model(
        input_ids=input_ids, attention_mask=attention_mask, use_cache=False
    ).last_hidden_state
    targets = labels[:, 1:]
    wanted = targets != -100
    logits = causal.get_output_embeddings()(hidden[:, :-1][wanted])
    return torch.nn.functional.cross_entropy(logits.float(), targets[wanted])
