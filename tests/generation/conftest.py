"""What tests of engines share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def nothing_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy stands before the local server, and no key of the user's is sent to it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
