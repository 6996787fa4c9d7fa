"""vLLM in this process: one resident model, which answers with or without an adapter by request.

Written for vLLM 0.33 (``LLMEngine.add_request`` and ``step``), which is an extra of its own: its
wheels want a GPU and an exact version of torch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evalkit.chat import render_chat
from evalkit.errors import ConfigError
from evalkit.generation.base import Completion, Decoding, Request, request_seed
from evalkit.generation.vllm_resident import hold, step
from evalkit.machine.hardware import resolve_device, resolve_dtype
from evalkit.models.loading import load_tokenizer
from evalkit.records import Message

ENGINE_VERSION = "1"


class VLLMGenerator:
    """A causal language model in vLLM, with an adapter that is applied by request if one is given.

    Generators of the same weights and settings share one engine while any of them is open.

    Args:
        folder: What ``from_pretrained`` reads.
        weights: Identity of the weights' contents.
        adapter: Folder of a peft LoRA adapter.
        adapter_id: Identity of the adapter's contents.
        memory_share: Share of the GPU's memory that vLLM may take, in (0, 1].
        max_length: Bound on the tokens of prompt and answer; None is the model's own.
        max_adapter_rank: The highest rank that can be served.
        gpus: The model is split over so many.

    Raises:
        ConfigError: vLLM is not installed, or a setting makes no sense.
    """

    def __init__(
        self,
        folder: Path,
        weights: str,
        decoding: Decoding,
        *,
        adapter: Path | None = None,
        adapter_id: str | None = None,
        dtype: str = "auto",
        memory_share: float = 0.85,
        max_length: int | None = None,
        max_adapter_rank: int = 64,
        gpus: int = 1,
        trust_remote_code: bool = False,
    ) -> None:
        _refuse_absent()
        _check(memory_share, max_length, gpus)
        self.decoding = decoding
        self._folder = folder
        self._adapter = adapter
        self._adapter_id = adapter_id
        self._trust = trust_remote_code
        if adapter is not None:
            _check_rank(adapter, max_adapter_rank)
        dtype = resolve_dtype(dtype, resolve_device("auto"))
        self._options = {
            "model": str(folder),
            "dtype": dtype,
            "gpu_memory_utilization": float(memory_share),
            "max_model_len": max_length,
            "max_lora_rank": max_adapter_rank,
            "tensor_parallel_size": gpus,
            "trust_remote_code": trust_remote_code,
        }
        # Held from now on, so that an engine that another generator loads stays until it is used.
        self._resident, self._let_go = hold(self, self._options)
        self._resident.adapters |= adapter is not None
        self._identity = {
            "engine": f"vllm-{ENGINE_VERSION}",
            "vllm": _version(),
            "weights": weights,
            "adapter": adapter_id,
            "dtype": dtype,
            "max_length": max_length,
            "gpus": gpus,
            **decoding.identity,
        }

    @property
    def identity(self) -> dict[str, object]:
        return dict(self._identity)

    @cached_property
    def tokenizer(self) -> Any:
        return load_tokenizer(self._folder, trust_remote_code=self._trust)

    def close(self) -> None:
        """Let go of the engine; its memory is free once no generator holds it."""
        self._let_go()

    def render(self, messages: Sequence[Message]) -> str:
        return render_chat(self.tokenizer, messages)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self._ids(self.render(messages)))

    def _ids(self, prompt: str) -> list[int]:
        ids: list[int] = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return ids

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Complete every request, in the order in which they finish.

        A request that vLLM refuses (longer than the model allows, say) carries its error. The
        seconds of a row are its share of the wall time since other rows finished.

        Raises:
            EvalkitError: vLLM could not start, or stopped.
        """
        engine = self._resident.engine(with_adapters=self._adapter is not None)
        waiting: dict[str, tuple[str, int]] = {}
        last = time.perf_counter()
        try:
            for request in requests:
                prompt = self.render(request.messages)
                ids = self._ids(prompt)
                try:
                    self._add(engine, request, ids)
                except ValueError as error:
                    yield _failed(request.id, prompt, len(ids), " ".join(str(error).split()))
                else:
                    waiting[request.id] = (prompt, len(ids))
            while waiting and engine.has_unfinished_requests():
                finished = [output for output in step(engine) if output.finished]
                now = time.perf_counter()
                for output in finished:
                    asked = waiting.pop(output.request_id)
                    yield _completion(output, *asked, (now - last) / len(finished))
                if finished:
                    last = now
            for name, asked in list(waiting.items()):
                del waiting[name]
                yield _failed(name, *asked, "vLLM gave no answer")
        finally:
            if waiting:  # the caller stopped: nothing may be left for the next one
                engine.abort_request(list(waiting))

    def _add(self, engine: Any, request: Request, ids: list[int]) -> None:
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest
        from vllm.sampling_params import RequestOutputKind

        decoding = self.decoding
        sampling = SamplingParams(
            temperature=decoding.temperature,
            max_tokens=decoding.max_new_tokens,
            seed=request_seed(decoding.seed, request.id) if decoding.temperature else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        lora = None
        if self._adapter is not None:
            number = self._resident.number(str(self._adapter_id))
            lora = LoRARequest(str(self._adapter_id), number, str(self._adapter))
        engine.add_request(request.id, {"prompt_token_ids": ids}, sampling, lora_request=lora)


def _completion(output: Any, prompt: str, prompt_tokens: int, seconds: float) -> Completion:
    said = output.outputs[0]
    if said.finish_reason not in ("stop", "length"):
        reason = f"vLLM ended the request with {said.finish_reason!r}"
        return _failed(output.request_id, prompt, prompt_tokens, reason)
    # The token that ends an answer is not counted, as in the other engines.
    ended = said.finish_reason == "stop" and bool(said.token_ids)
    return Completion(
        id=output.request_id,
        text=said.text,
        prompt=prompt,
        prompt_tokens=prompt_tokens,
        output_tokens=len(said.token_ids) - ended,
        finish_reason=said.finish_reason,
        seconds=seconds,
    )


def _failed(name: str, prompt: str, prompt_tokens: int, reason: str) -> Completion:
    return Completion(name, "", prompt, prompt_tokens, 0, "error", 0.0, error=reason)


def _refuse_absent() -> None:
    if find_spec("vllm") is None:
        raise ConfigError(
            "model.engine is vLLM, which is not installed",
            todo="pip install 'evalkit[vllm]' on a machine with a GPU; without it,"
            " model/engine=transformers runs the same model, and model=openai asks a vLLM server",
        )


def _version() -> str:
    from importlib.metadata import version

    return version("vllm")


def _check(memory_share: Any, max_length: Any, gpus: Any) -> None:
    if not isinstance(memory_share, int | float) or not 0 < memory_share <= 1:
        raise ConfigError(
            f"model.engine.memory_share is {memory_share!r}, expected a share such as 0.85"
        )
    for name, value in (("max_length", max_length), ("gpus", gpus)):
        optional = name == "max_length" and value is None
        if not optional and (type(value) is not int or value < 1):
            raise ConfigError(f"model.engine.{name} is {value!r}, expected a whole number from 1")


def _check_rank(adapter: Path, highest: int) -> None:
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if settings["r"] > highest:
        raise ConfigError(
            f"the adapter's rank is {settings['r']}, and model.engine.max_adapter_rank is {highest}",
            todo=f"set model.engine.max_adapter_rank={settings['r']} (vLLM knows 8, 16, 32, 64, 128, 256)",
        )
