"""vLLM's protocol, against a stand-in that keeps to it; and a machine without vLLM."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from evalkit.errors import ConfigError, EvalkitError
from evalkit.generation import vllm_engine
from evalkit.generation.base import Decoding, Request
from evalkit.generation.vllm_engine import VLLMGenerator


@dataclass
class Engine:
    """Answers with the adapter's name and the prompt's length, one request a step, last come first."""

    args: SimpleNamespace
    added: list[tuple[str, list[int], Any, Any]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    running: bool = True
    finish_reason: str = "stop"
    dead: bool = False

    @property
    def engine_core(self) -> Any:
        return SimpleNamespace(shutdown=self.shut_down)

    def shut_down(self) -> None:
        self.running = False

    def add_request(
        self, request_id: str, prompt: Any, params: Any, lora_request: Any = None
    ) -> None:
        assert self.running
        if lora_request is not None and not self.args.enable_lora:
            raise ValueError("LoRA is not enabled!")
        if len(prompt["prompt_token_ids"]) > 100:
            raise ValueError("The decoder prompt is longer\nthan the maximum model length")
        self.added.append((request_id, prompt["prompt_token_ids"], params, lora_request))
        self.waiting.append(request_id)

    def has_unfinished_requests(self) -> bool:
        return bool(self.waiting)

    def step(self) -> list[Any]:
        if self.dead:
            raise RuntimeError("EngineCore encountered an issue")
        name = self.waiting.pop()
        _, ids, _, lora = next(a for a in reversed(self.added) if a[0] == name)
        said = SimpleNamespace(
            text=f"{lora.lora_name if lora else 'base'}:{len(ids)}",
            token_ids=[5, 6, 7],
            finish_reason=self.finish_reason,
        )
        unfinished = SimpleNamespace(request_id="another", finished=False, outputs=[])
        return [unfinished, SimpleNamespace(request_id=name, finished=True, outputs=[said])]

    def abort_request(self, names: list[str]) -> None:
        self.aborted += names
        self.waiting = [name for name in self.waiting if name not in names]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Puts a stand-in for vLLM in place; the engines that were loaded."""
    loaded: list[Engine] = []

    def load(args: Any) -> Engine:
        if args.gpu_memory_utilization > 0.9:
            raise ValueError("Free memory on device is less than desired")
        loaded.append(Engine(args))
        return loaded[-1]

    @dataclass
    class LoRARequest:
        lora_name: str
        lora_int_id: int
        lora_path: str

    kinds = SimpleNamespace(FINAL_ONLY="final only")
    parts: dict[str, dict[str, Any]] = {
        "vllm": {
            "EngineArgs": lambda **given: SimpleNamespace(**given),
            "LLMEngine": SimpleNamespace(from_engine_args=load),
            "SamplingParams": lambda **given: SimpleNamespace(**given),
        },
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": LoRARequest},
        "vllm.sampling_params": {"RequestOutputKind": kinds},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(vllm_engine, "_version", lambda: "0.33.0")
    return loaded


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 8}))
    return tmp_path


def generator(folder: Path, **settings: Any) -> VLLMGenerator:
    decoding = settings.pop("decoding", Decoding(max_new_tokens=8))
    return VLLMGenerator(folder, "tiny", decoding, **settings)


def requests(*contents: str) -> list[Request]:
    return [
        Request(f"r{i}", ({"role": "user", "content": content},))
        for i, content in enumerate(contents)
    ]


def test_every_request_is_completed_as_it_finishes(engines: list[Engine], tiny_model: Path) -> None:
    """Prompts are rendered and counted here; the token that ends an answer is not counted."""
    made = generator(tiny_model)
    done = list(made.generate(requests("a", "bb")))
    assert [c.id for c in done] == ["r1", "r0"]  # in the engine's order
    first = done[1]
    assert first.prompt == "<user>a<end><assistant>"
    assert first.prompt_tokens == made.count_tokens(requests("a")[0].messages) == 4
    assert (first.text, first.output_tokens, first.finish_reason) == ("base:4", 2, "stop")
    assert first.seconds > 0
    (_, _, params, lora), *_ = engines[0].added
    assert (params.temperature, params.max_tokens, params.seed) == (0.0, 8, None)
    assert (params.output_kind, lora) == ("final only", None)
    made.close()


def test_an_answer_that_was_cut_counts_all_its_tokens(
    engines: list[Engine], tiny_model: Path
) -> None:
    made = generator(tiny_model)
    next(made.generate(requests("a")))
    engines[0].finish_reason = "length"
    (cut,) = made.generate(requests("a"))
    assert (cut.output_tokens, cut.finish_reason, cut.error) == (3, "length", None)
    made.close()


def test_one_engine_serves_base_and_adapter_by_request(
    engines: list[Engine], tiny_model: Path, adapter: Path
) -> None:
    """Made together they share it, with room for adapters; closing one does not end the other's,
    and closing both frees the memory."""
    base = generator(tiny_model)
    tuned = generator(tiny_model, adapter=adapter, adapter_id="lora:1")
    assert [c.text for c in base.generate(requests("a"))] == ["base:4"]
    base.close()
    assert [c.text for c in tuned.generate(requests("a"))] == ["lora:1:4"]
    (engine,) = engines
    assert engine.args.enable_lora is True
    lora = engine.added[1][3]
    assert (lora.lora_int_id, lora.lora_path) == (1, str(adapter))
    assert engine.running
    tuned.close()
    assert not engine.running


def test_an_engine_without_room_for_adapters_is_loaded_anew(
    engines: list[Engine], tiny_model: Path, adapter: Path
) -> None:
    base = generator(tiny_model)
    list(base.generate(requests("a")))
    assert engines[0].args.enable_lora is False
    tuned = generator(tiny_model, adapter=adapter, adapter_id="lora:1")
    assert [c.text for c in tuned.generate(requests("a"))] == ["lora:1:4"]
    assert [engine.running for engine in engines] == [False, True]
    base.close()
    tuned.close()


def test_other_settings_are_another_engine(engines: list[Engine], tiny_model: Path) -> None:
    a, b = generator(tiny_model), generator(tiny_model, max_length=50)
    list(a.generate(requests("a")))
    list(b.generate(requests("a")))
    assert [engine.args.max_model_len for engine in engines] == [None, 50]
    a.close()
    b.close()


def test_a_request_that_vllm_refuses_is_an_error_of_that_request(
    engines: list[Engine], tiny_model: Path
) -> None:
    made = generator(tiny_model)
    done = {c.id: c for c in made.generate(requests("a", "b" * 200))}
    assert done["r0"].error is None
    assert done["r1"].error == "The decoder prompt is longer than the maximum model length"
    engines[0].finish_reason = "abort"
    assert "'abort'" in str(next(made.generate(requests("a"))).error)
    made.close()


def test_a_caller_that_stops_leaves_nothing_in_the_engine(
    engines: list[Engine], tiny_model: Path
) -> None:
    made = generator(tiny_model)
    completions = made.generate(requests("a", "b", "c"))
    next(completions)
    completions.close()
    assert (sorted(engines[0].aborted), engines[0].waiting) == (["r0", "r1"], [])
    made.close()


def test_an_engine_that_dies_or_never_starts_is_said(
    engines: list[Engine], tiny_model: Path
) -> None:
    made = generator(tiny_model)
    list(made.generate(requests("a")))
    engines[0].dead = True
    with pytest.raises(EvalkitError, match=r"vLLM stopped: RuntimeError[\s\S]*are kept"):
        list(made.generate(requests("b")))
    made.close()
    greedy = generator(tiny_model, memory_share=0.95)
    with pytest.raises(EvalkitError, match=r"Free memory[\s\S]*model\.engine\.memory_share"):
        list(greedy.generate(requests("a")))
    greedy.close()


def test_sampling_is_seeded_by_request(engines: list[Engine], tiny_model: Path) -> None:
    made = generator(tiny_model, decoding=Decoding(temperature=1.0))
    list(made.generate(requests("a", "b")))
    seeds = [params.seed for _, _, params, _ in engines[0].added]
    assert len(set(seeds)) == 2
    made.close()


def test_the_identity_changes_with_whatever_changes_an_answer(
    engines: list[Engine], tiny_model: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The share of memory does not."""
    made = [
        generator(tiny_model),
        generator(tiny_model, adapter=adapter, adapter_id="lora:1"),
        generator(tiny_model, dtype="float16"),
        generator(tiny_model, max_length=50),
        generator(tiny_model, decoding=Decoding(max_new_tokens=9)),
        generator(tiny_model, decoding=Decoding(max_new_tokens=8, temperature=0.5)),
        VLLMGenerator(tiny_model, "other", Decoding(max_new_tokens=8)),
    ]
    identities = [json.dumps(g.identity) for g in made]
    assert len(set(identities)) == len(made)
    assert generator(tiny_model, memory_share=0.5).identity == made[0].identity
    monkeypatch.setattr(vllm_engine, "_version", lambda: "0.34.0")
    assert generator(tiny_model).identity != made[0].identity
    assert engines == []  # nothing is loaded to know it


def test_without_vllm_it_is_said_what_to_install_and_what_works_instead(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the engine is made, so before anything has been computed."""
    monkeypatch.setattr(vllm_engine, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"not installed[\s\S]*evalkit\[vllm\][\s\S]*model/engine=transformers"
    ):
        generator(tiny_model)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"memory_share": 1.5}, r"model\.engine\.memory_share is 1\.5"),
        ({"max_length": 0}, r"model\.engine\.max_length is 0"),
        ({"gpus": 0}, r"model\.engine\.gpus is 0"),
        ({"dtype": "int3"}, "dtype is 'int3'"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    engines: list[Engine], tiny_model: Path, setting: Any, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        generator(tiny_model, **setting)


def test_an_adapter_of_too_high_a_rank_is_refused(
    engines: list[Engine], tiny_model: Path, adapter: Path
) -> None:
    with pytest.raises(ConfigError, match=r"rank is 8, and model\.engine\.max_adapter_rank is 4"):
        generator(tiny_model, adapter=adapter, adapter_id="x", max_adapter_rank=4)
