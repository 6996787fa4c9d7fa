"""No telemetry and no advice of libraries, unless the user asked for it."""

from __future__ import annotations

import logging
import os

VARIABLES = {
    "RAGAS_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


def no_telemetry() -> None:
    """Set what the libraries read on being imported; what the user set is kept."""
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)


def no_warnings() -> None:
    """Python's warnings are for those who write the libraries."""
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
