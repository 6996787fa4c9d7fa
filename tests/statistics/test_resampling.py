"""Bootstrap and sign flips over clusters: when they speak, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.statistics import estimate, mean_interval
from evalkit.statistics.clusters import Clustered
from evalkit.statistics.resampling import bootstrap_means, sign_flips

CONTRAST = (-1.0, 1.0)


def test_from_twenty_clusters_on_the_bootstrap_speaks() -> None:
    """Nineteen clusters are too few for it."""
    rng = np.random.default_rng(4)
    for size, method in ((19, "t_clusters"), (20, "bca")):
        assert mean_interval(rng.normal(size=size), range(size)).method == method


def test_clusters_that_move_together_widen_the_interval() -> None:
    """Ten copies of each of 20 values know no more than 20 values do."""
    x = np.random.default_rng(3).normal(size=20)
    single = mean_interval(x, np.arange(20))
    copied = mean_interval(np.repeat(x, 10), np.repeat(np.arange(20), 10))
    naive = mean_interval(np.repeat(x, 10), np.arange(200))
    assert (copied.low, copied.high) == pytest.approx((single.low, single.high))
    assert naive.high - naive.low < 0.5 * (copied.high - copied.low)


def test_the_error_does_not_shrink_with_resamples() -> None:
    """A peer divided the bootstrap's spread by the root of the number of resamples: s / sqrt(n)."""
    x = np.random.default_rng(8).normal(size=100)
    expected = x.std(ddof=1) / 10
    for resamples in (100, 10_000):
        found = estimate(x, range(100), resamples=resamples)
        assert found.standard_error == pytest.approx(expected)
        (draws,) = bootstrap_means([Clustered.of(x, np.arange(100))], resamples, 0)
        assert draws.std() == pytest.approx(expected, rel=0.2)
        interval = found.interval(0.95)
        assert interval.high - interval.low == pytest.approx(2 * 1.984 * expected, rel=0.15)


def test_beyond_its_draws_the_bootstrap_is_as_wide_as_t() -> None:
    """With 50 draws and at a p of 1e-9 the outermost draw is not the end of the world."""
    x = np.random.default_rng(9).normal(1, 1, 40)
    found = estimate(x, range(40), resamples=50)
    assert found.p_greater(0.0) > 1e-12
    assert found.interval(1 - 2e-9).low < 0.2


def test_sign_flip_by_hand() -> None:
    """Six clusters that all gained: both extreme signs of 64, so p is about 2 / 64."""
    data = Clustered.of(np.ones(6), np.arange(6))
    assert sign_flips([data], 20_000, 0)[0] == pytest.approx(2 / 64, abs=0.004)


def test_a_permutation_p_is_never_0() -> None:
    """A peer reports 0 where no permutation is as extreme; with 999 of them the least is .001."""
    data = Clustered.of(np.ones(60), np.arange(60))
    assert sign_flips([data], 999, 0)[0] == 1 / 1000


def test_draws_do_not_depend_on_company_nor_on_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same column gives the same draws alone, among others, and in blocks of any size."""
    rng = np.random.default_rng(11)
    columns = [Clustered.of(rng.normal(size=30), np.arange(30)) for _ in range(3)]
    columns.append(Clustered.of(rng.normal(size=8), np.arange(8)))
    together = bootstrap_means(columns, 500, 5)
    for column, draws in zip(columns, together, strict=True):
        assert bootstrap_means([column], 500, 5)[0] == pytest.approx(draws, abs=1e-12)
    flipped = sign_flips(columns, 500, 5)
    monkeypatch.setattr("evalkit.statistics.resampling._BLOCK", 64)
    assert bootstrap_means(columns, 500, 5)[1] == pytest.approx(together[1], abs=1e-12)
    assert sign_flips(columns, 500, 5) == flipped


def test_seen_losses_leave_the_bootstrap_alone() -> None:
    """Where both gains and losses were seen, nothing is added to what resampling says."""
    values = [1.0, -1.0] * 5 + [0.0] * 40
    found = estimate(values, range(50), bounds=CONTRAST)
    assert found.interval(0.95).low == pytest.approx(-1.96 * (0.2 / 50) ** 0.5, abs=0.01)
