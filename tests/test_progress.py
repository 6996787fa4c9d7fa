"""Progress: bars where there is a terminal, silence elsewhere, and timings always."""

from __future__ import annotations

import pytest

from evalkit.progress import Progress, Rate


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
    for words in ("train", "5/5", "0:00", "lora on 20 examples", "loss 0.125"):
        assert words in err


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        ([], ""),  # nothing done yet
        ([5.0], ""),  # one item alone has no rate
        ([5.0, 2.0], "0.50/s"),  # how long the first one took is not known
        ([5.0, 0.4, 0.4], ""),  # too short a time to tell
        ([3.0, *[0.01] * 31, 2.0, *[0.0] * 31], "16/s"),  # two batches of 32, the first unseen
        ([0.0, *[0.01] * 200], "100/s"),
    ],
)
def test_the_rate_is_that_of_what_was_seen_to_be_done(gaps: list[float], said: str) -> None:
    """Items per second after the first moment, and nothing where it cannot be told."""
    clock = Clock()
    rate = Rate(clock)
    for gap in gaps:
        clock.now += gap
        rate.add(1)
    assert str(rate) == said


def test_items_at_hand_are_not_counted_as_work() -> None:
    """Nor is a call that only changes the words."""
    clock = Clock()
    rate = Rate(clock)
    rate.add(0)
    clock.now += 60
    rate.add(1000)
    for _ in range(4):
        clock.now += 10
        rate.add(1)
    assert str(rate) == "0.10/s"


def test_a_line_shows_rate_and_time_left_within_a_hundred_columns(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too long a detail is cut at the end; the numbers stay, and brackets are only brackets."""
    monkeypatch.setenv("COLUMNS", "100")
    clock = Clock()
    with Progress(shown=True) as progress, progress.stage("generate", "x[b]" * 30, 1000) as stage:
        progress._bars.get_time = progress._bars.tasks[0]._get_time = stage.rate.clock = clock
        for _ in range(11):
            stage.advance()
            clock.now += 2.0
        capfd.readouterr()
        progress._bars.refresh()
        progress._bars.console.print(progress._bars.get_renderable())
        lines = capfd.readouterr().err.splitlines()
        line = next(line for line in lines if "generate" in line)
    assert len(line) <= 100
    for words in ("11/1000", "0.50/s", "32:58 left", "x[b]x[b]", "…"):
        assert words in line


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
