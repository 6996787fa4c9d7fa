"""What this machine has: processor features, cores, memory, accelerators."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError

DTYPES = ("auto", "float32", "bfloat16", "float16")
_DEV = Path("/dev")
_CGROUPS, _SELF = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
_REPORTED_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


@cache
def cpu_flags() -> frozenset[str]:
    """Instruction-set flags of the processor; empty where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.lower().startswith(("flags", "features")):
                return frozenset(line.split(":", 1)[1].split())
    return frozenset()


def cpu_has_fast_bf16() -> bool:
    """Whether bfloat16 matrix products are faster than float32 (AVX512-BF16 or AMX).

    Without these instructions bfloat16 is emulated and about half as fast as float32.
    """
    return bool(cpu_flags() & _BF16_FLAGS)


def cpu_name() -> str:
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores this process may run on (respects affinity and containers that set it)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_threads() -> int:
    """Threads for arithmetic: a core each, or fewer where ``OMP_NUM_THREADS`` says so, as it does in
    processes that share this machine.
    """
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(usable_cores(), int(said)) if said.isdigit() and int(said) else usable_cores()


def available_memory() -> int:
    """Bytes that may still be taken: what the machine has free, or less where a container's limit is
    nearer (its cached files count as free, as the machine's do).
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        group = _CGROUPS / _SELF.read_text().strip().rpartition("::/")[2]
        limit = int((group / "memory.max").read_text())  # "max" where there is none
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(0, min(free, limit - used + int(stat["inactive_file"])))
    except (OSError, ValueError, KeyError):
        return free


def surely_no_accelerator() -> bool:
    """Whether the system shows no accelerator at all, so that torch need not be asked (its import
    takes a second); False where only torch can tell.
    """
    # NVIDIA's, AMD's, WSL's, a Tegra's, and what any driver of graphics or accelerators makes.
    nodes = ("nvidiactl", "nvidia0", "kfd", "dxg", "nvmap", "dri", "accel")
    return sys.platform == "linux" and not any((_DEV / node).exists() for node in nodes)


def resolve_device(device: str = "auto") -> str:
    """``auto`` becomes ``cuda`` or ``mps`` where there is one, else ``cpu``."""
    if device == "cpu" or (device == "auto" and surely_no_accelerator()):
        return "cpu"
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"the device {device!r} was asked for, but torch sees no GPU here",
            todo="use device=auto or cpu, or install a CUDA build of torch; `evalkit doctor` looks",
        )
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def resolve_dtype(dtype: str, device: str) -> str:
    """``auto`` becomes ``bfloat16`` where that is fast (GPU, AVX512-BF16, AMX), else ``float32``."""
    if dtype not in DTYPES:
        raise ConfigError(f"the dtype is {dtype!r}, expected one of {DTYPES}")
    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        import torch

        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "bfloat16" if device == "cpu" and cpu_has_fast_bf16() else "float32"


def describe() -> dict[str, Any]:
    """Facts for a manifest: processor, cores, memory in bytes, accelerators."""
    import psutil

    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "processor": cpu_name(),
        "processor_features": [f for f in _REPORTED_FLAGS if f in cpu_flags()],
        "cores": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": [] if surely_no_accelerator() else _gpus(),
    }


def _gpus() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
