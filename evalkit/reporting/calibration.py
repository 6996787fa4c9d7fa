"""The reliability curve of a judge: what it said against what people found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.plurals import counted


def save_reliability(report: Mapping[str, Any], path: Path) -> None:
    """Draw the reliability curve as SVG.

    Args:
        report: With ``judge`` (``name``, ``version``), ``labels`` (``n``) and ``reliability``:
            rows with ``n``, ``said``, ``found``, ``low``, ``high``, all shares.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = report["reliability"]
    said, found = [r["said"] for r in rows], [r["found"] for r in rows]
    style: Any = {"svg.hashsalt": "evalkit", "svg.fonttype": "none", "font.size": 9}
    with mpl.rc_context(style):
        figure = Figure(figsize=(4.4, 4.4), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#B4B9C0", linewidth=1, linestyle="--")
        for row in rows:
            if row["low"] is not None and row["high"] is not None:
                axes.plot([row["said"]] * 2, [row["low"], row["high"]], color="#0072B2", alpha=0.5)
        axes.plot(
            said, found, color="#0072B2", marker="o", markersize=4, linewidth=1, clip_on=False
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_xlabel("probability of support, cross-fitted")
        axes.set_ylabel("share that people found supported (95 %)")
        judge = report["judge"]
        axes.set_title(
            f"{judge['name']}, {counted(report['labels']['n'], 'label')}", loc="left", fontsize=10
        )
        # No date in the file: the same numbers are the same bytes.
        figure.savefig(path, format="svg", metadata={"Date": None})
