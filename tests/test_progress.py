"""Progress: bars where there is a terminal, silence elsewhere, and timings always."""

from __future__ import annotations

import pytest

from evalkit.progress import Progress


def test_stages_are_timed_in_order_with_their_last_word() -> None:
    """The detail of a stage is what it said last, or else what it set out to do."""
    with Progress(shown=False) as progress:
        with progress.stage("chunk", "3 revisions", 3) as stage:
            stage.advance(1, "half way")
            stage.advance(2, "into 5 passages")
        with progress.stage("index", "5 passages"):
            pass
    assert [(t["stage"], t["detail"]) for t in progress.timings] == [
        ("chunk", "into 5 passages"), ("index", "5 passages"),
    ]  # fmt: skip
    assert all(0 <= t["seconds"] < 5 for t in progress.timings)


def test_nothing_is_written_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Logs of a scheduler or of continuous integration stay clean."""
    with Progress() as progress, progress.stage("train", "20 examples", 5) as stage:
        stage.advance(5, "loss 0.1")
    assert capfd.readouterr() == ("", "")


def test_a_bar_says_what_is_done_how_far_and_what_is_left(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """On standard error, so that standard output can be piped."""
    with (
        Progress(shown=True) as progress,
        progress.stage("train", "lora on 20 examples", 5) as stage,
    ):
        stage.advance(2, "loss 0.125")
        progress._bars.refresh()
    out, err = capfd.readouterr()
    assert out == ""
    for words in ("train", "5/5", "left", "lora on 20 examples", "loss 0.125"):
        assert words in err


def test_a_stage_that_fails_is_not_timed_as_done_and_its_error_gets_out() -> None:
    progress = Progress(shown=False)
    with pytest.raises(ValueError, match="boom"), progress, progress.stage("score", "x"):
        raise ValueError("boom")
    assert progress.timings == []


def test_bars_stop_when_a_stage_is_interrupted(capfd: pytest.CaptureFixture[str]) -> None:
    """The terminal is given back: the cursor is shown again."""
    progress = Progress(shown=True)
    with pytest.raises(KeyboardInterrupt), progress, progress.stage("score", "x", 3):
        raise KeyboardInterrupt
    assert progress._bars.finished is False
    assert progress._bars.live.is_started is False
