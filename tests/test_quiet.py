"""Libraries that report their use, or talk on the terminal, are asked not to."""

from __future__ import annotations

import os

import pytest

from evalkit import cli, quiet


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is put back afterwards."""
    for name in quiet.VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_telemetry_is_off() -> None:
    """ragas reads the word ``true``; the others take it or ``1``."""
    quiet.no_telemetry()
    assert os.environ["RAGAS_DO_NOT_TRACK"] == "true"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_what_the_user_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGAS_DO_NOT_TRACK", "false")
    quiet.no_telemetry()
    assert os.environ["RAGAS_DO_NOT_TRACK"] == "false"


def test_the_command_line_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Before any command can import a library."""
    assert cli.main([]) == 0
    assert {name: os.environ.get(name) for name in quiet.VARIABLES} == quiet.VARIABLES
