"""``evalkit doctor``: what is at hand on this machine."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    doctor = commands.add_parser(
        "doctor", help="what is installed and at hand, and what to do about the rest"
    )
    doctor.set_defaults(function=run)


def run(options: argparse.Namespace) -> int:
    """0 all well, 1 something is lacking."""
    from functools import partial

    from evalkit import doctor
    from evalkit.configuration.compose import compose
    from evalkit.models import weights

    config = compose([])
    sources = {config[part].name: config[part].weights for part in ("model", "embedder")}
    checks = doctor.diagnose(
        {name: partial(weights.at_hand, source) for name, source in sources.items()}
    )
    return doctor.print_checks(checks)
