"""What the speed scripts share: this machine in words, medians with their spread, and reports."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPORTS = Path(__file__).parents[2] / "reports" / "performance"
PACKAGES = ("torch", "transformers", "peft", "tokenizers")


def machine() -> dict[str, Any]:
    """Processor, cores, memory and GPUs, without what names this very machine."""
    from evalkit.machine import hardware

    facts = hardware.describe()
    return {
        "processor": facts["processor"],
        "processor_features": facts["processor_features"],
        "cores": facts["cores"],
        "memory_gb": round(facts["memory_bytes"] / 2**30),
        "gpus": facts["gpus"],
    }


def versions(*more: str) -> dict[str, str]:
    """Versions of Python, ours and the packages that compute; what is not installed is left out."""
    import evalkit
    from evalkit.machine import environment

    found = {"python": platform.python_version(), "evalkit": evalkit.__version__}
    return found | environment.versions(*PACKAGES, *more)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most of repeated measurements, and how many there were."""
    return {
        "median": round(statistics.median(values), 6),
        "least": round(min(values), 6),
        "most": round(max(values), 6),
        "repeats": len(values),
    }


def shown(found: Mapping[str, float]) -> str:
    """A spread in a table's cell."""
    return f"{found['median']:.4g} [{found['least']:.4g}, {found['most']:.4g}]"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, its columns padded so that it reads well in a terminal too."""
    cells = [list(map(str, head)), *[list(map(str, row)) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def publish(
    name: str, title: str, text: str, result: Mapping[str, Any], folder: Path | None = None
) -> None:
    """Print the text and then one line of JSON; write both to ``NAME.md`` and ``NAME.json``."""
    place = folder or REPORTS
    place.mkdir(parents=True, exist_ok=True)
    facts = result["machine"]
    gpus = f", {', '.join(facts['gpus'])}" if facts["gpus"] else ""
    told = ", ".join(f"{k} {v}" for k, v in result["versions"].items())
    page = (
        f"# {title}\n\n{text}\n\nMedians of repeated runs in turns, with the least and the most in brackets."
        f"\n\n{facts['processor']}, {facts['cores']} cores, {facts['memory_gb']} GB{gpus}; {told}\n"
    )
    (place / f"{name}.md").write_text(page, encoding="utf-8")
    line = json.dumps(result, ensure_ascii=False)
    (place / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{page}\n{line}", flush=True)
