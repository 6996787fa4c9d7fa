"""What the machine has decides device and dtype; nothing is assumed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from evalkit.errors import ConfigError
from evalkit.machine import hardware


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [
        ({"avx2", "avx512f", "avx512_bf16"}, "bfloat16"),
        ({"avx2", "amx_bf16", "amx_tile"}, "bfloat16"),
        ({"avx2", "avx512f"}, "float32"),
        (set(), "float32"),
    ],
)
def test_bfloat16_only_where_the_processor_has_it(
    flags: set[str], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emulated bfloat16 is half as fast as float32; plain AVX-512 does not have it."""
    monkeypatch.setattr(hardware, "cpu_flags", lambda: frozenset(flags))
    assert hardware.resolve_dtype("auto", "cpu") == dtype
    assert hardware.resolve_dtype("auto", "mps") == "float32"


def test_a_dtype_and_a_device_that_are_given_are_kept() -> None:
    assert hardware.resolve_dtype("float16", "cpu") == "float16"
    assert hardware.resolve_device("cpu") == "cpu"


def test_a_gpu_that_is_not_there_and_an_unknown_dtype_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before a model is loaded, with what to do."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"'cuda:1' was asked for[\s\S]*device=auto"):
        hardware.resolve_device("cuda:1")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert hardware.resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(ConfigError, match="dtype is 'float8', expected one of"):
        hardware.resolve_dtype("float8", "cpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, False, "cuda"), (True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_fastest_device_there_is(
    cuda: bool, mps: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "surely_no_accelerator", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert hardware.resolve_device("auto") == device


@pytest.mark.parametrize("node", ["nvidiactl", "kfd", "dxg", "dri", "nvmap", None])
def test_torch_is_asked_wherever_there_could_be_an_accelerator(
    node: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a Linux without a device file of any driver is known to have none."""
    monkeypatch.setattr(hardware, "_DEV", tmp_path)
    if node:
        (tmp_path / node).touch()
    monkeypatch.setattr("sys.platform", "linux")
    assert hardware.surely_no_accelerator() == (node is None)
    monkeypatch.setattr("sys.platform", "darwin")
    assert not hardware.surely_no_accelerator()


@pytest.mark.parametrize(("supported", "dtype"), [(True, "bfloat16"), (False, "float16")])
def test_a_gpu_gets_a_half_precision_that_it_has(
    supported: bool, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: supported)
    assert hardware.resolve_dtype("auto", "cuda:0") == dtype


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container or taskset that allows three of many cores counts three."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert hardware.usable_cores() == 3


def test_the_description_is_what_a_manifest_needs() -> None:
    facts = hardware.describe()
    assert set(facts) == {
        "platform",
        "python",
        "processor",
        "processor_features",
        "cores",
        "memory_bytes",
        "gpus",
    }
    assert facts["memory_bytes"] > 10**8
    assert set(facts["processor_features"]) <= {"avx2", "avx512f", "avx512_bf16", "amx_bf16"}
    assert facts["cores"] == hardware.usable_cores() >= 1


@pytest.mark.parametrize(
    ("said", "threads"),
    [("", 8), ("3", 3), ("64", 8), ("2,4", 2), (" 5 ", 5), ("0", 8), ("many", 8)],
)
def test_processes_that_share_a_machine_share_its_threads(
    said: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launcher that runs jobs at once says how many in OMP_NUM_THREADS; nonsense says nothing."""
    monkeypatch.setattr(hardware, "usable_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert hardware.usable_threads() == threads


@pytest.mark.parametrize(
    ("limit", "free"),
    [("max", 8000), ("5000", 5000 - 4000 + 1500), ("3000", 500), ("1000", 0), ("90000", 8000)],
)
def test_memory_is_what_the_machine_has_or_the_container_may_have(
    limit: str, free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a container's 4,000 used bytes 1,500 are files that can be dropped; the machine has 8,000."""
    group = tmp_path / "pod"
    group.mkdir()
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.current").write_text("4000\n")
    (group / "memory.stat").write_text("anon 2500\ninactive_file 1500\n")
    (tmp_path / "self").write_text("0::/pod\n")
    monkeypatch.setattr(hardware, "_CGROUPS", tmp_path)
    monkeypatch.setattr(hardware, "_SELF", tmp_path / "self")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=8000))
    assert hardware.available_memory() == free


def test_without_control_groups_memory_is_what_the_machine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_SELF", tmp_path / "none")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=8000))
    assert hardware.available_memory() == 8000
