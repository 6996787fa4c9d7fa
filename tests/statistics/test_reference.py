"""Published values, to the digits printed; and scipy and statsmodels where they have the same."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from evalkit.statistics.adjust import benjamini_hochberg, holm
from evalkit.statistics.bounds import student
from evalkit.statistics.clusters import Clustered
from evalkit.statistics.comparisons import mcnemar_exact
from evalkit.statistics.intervals import wilson
from evalkit.statistics.resampling import bca, bootstrap_means, sign_flips

ALPHA = 0.025


@pytest.fixture(scope="module")
def published() -> dict:
    """Published values kept outside the repository, by the first word of their name."""
    folder = os.environ.get("EVALKIT_DATA")
    if not folder:
        pytest.skip("set EVALKIT_DATA to the folder that holds stats/reference_values.json")
    found = json.loads((Path(folder) / "stats" / "reference_values.json").read_text())
    return {name.split("(")[0]: value for name, value in found.items()}


def paired(table: list) -> tuple[np.ndarray, np.ndarray]:
    """The two columns of 0 and 1 whose cross table this is."""
    (_, b), (c, _) = table
    x = np.array([1.0] * b + [0.0] * c)
    return x, 1 - x


def test_every_published_entry_is_tested_here(published: dict) -> None:
    """A value added to the file must be tested, not overlooked."""
    assert set(published) == {
        "mcnemar_exact", "mcnemar_chi2_corrected", "mcnemar_chi2_uncorrected", "mcnemar_table0_R",
        "multipletests", "holm2", "holm3", "petersen_cluster_se", "bootstrap_mean_R_boot",
    }  # fmt: skip


def test_exact_mcnemar(published: dict) -> None:
    """The exact p of tables printed by statsmodels, the Vassar calculator and R."""
    for case in published["mcnemar_exact"]:
        assert mcnemar_exact(*paired(case["table"])) == pytest.approx(case["p"], abs=5e-7)
        (_, b), (c, _) = case["table"]
        assert min(b, c) == case["stat"]
    r = published["mcnemar_table0_R"]
    assert mcnemar_exact(*paired(r["table"])) == pytest.approx(r["exact_p"], abs=1e-13)


def test_chi2_mcnemar_lies_near_the_exact_one(published: dict) -> None:
    """R's chi-squared forms, which statsmodels computes, are approximations of ours."""
    from statsmodels.stats.contingency_tables import mcnemar

    for correction, name in ((True, "corrected"), (False, "uncorrected")):
        for case in published[f"mcnemar_chi2_{name}"]:
            found = mcnemar(np.array(case["table"]), exact=False, correction=correction)
            assert found.statistic == pytest.approx(case["stat"], rel=1e-6)
            assert found.pvalue == pytest.approx(case["p"], rel=1e-6)
            assert mcnemar_exact(*paired(case["table"])) == pytest.approx(case["p"], abs=0.06)
    r = published["mcnemar_table0_R"]
    table = np.array(r["table"])
    corrected, plain = (mcnemar(table, exact=False, correction=c) for c in (True, False))
    assert corrected.pvalue == pytest.approx(r["chi2_corrected_p"], abs=1e-14)
    assert plain.statistic == pytest.approx(r["uncorrected_stat"], abs=1e-14)
    assert plain.pvalue == pytest.approx(r["uncorrected_p"], abs=1e-14)


def test_holm_and_benjamini_hochberg(published: dict) -> None:
    """R multtest's adjusted values, in the order of the unsorted p-values that go in."""
    values = published["multipletests"]
    order = np.argsort(values["p"])
    assert np.array(values["p"])[order] == pytest.approx(values["sorted_raw"], abs=1e-11)
    for adjust, name in ((holm, "holm"), (benjamini_hochberg, "bh")):
        assert np.array(adjust(values["p"]))[order] == pytest.approx(values[name], rel=1e-8)
    for name in ("holm2", "holm3"):
        assert holm(published[name]["p"]) == pytest.approx(published[name]["holm"], abs=1e-12)


def test_holm_is_between_hochberg_and_bonferroni(published: dict) -> None:
    """R multtest's Bonferroni and Hochberg, by the library that ours is taken from."""
    from statsmodels.stats.multitest import multipletests

    values = published["multipletests"]
    order = np.argsort(values["p"])
    found = {
        m: multipletests(values["p"], method=m)[1][order] for m in ("bonferroni", "simes-hochberg")
    }
    assert found["bonferroni"] == pytest.approx(values["bonferroni"], rel=1e-8)
    assert found["simes-hochberg"] == pytest.approx(values["hochberg"], rel=1e-8)
    ours = np.array(holm(values["p"]))[order]
    assert (ours <= found["bonferroni"] + 1e-12).all()
    assert (ours >= found["simes-hochberg"] - 1e-12).all()


def test_petersen_clustered_errors(published: dict) -> None:
    """Petersen's regression: our clustered error of the influence of each row on a coefficient."""
    source = files("statsmodels.stats.tests").joinpath("test_data.txt")
    data = np.loadtxt(source.open())
    firm, year, x, y = data[:, 0], data[:, 1], data[:, 2], data[:, 3]
    design = np.column_stack([np.ones(len(x)), x])
    inverse = np.linalg.inv(design.T @ design)
    residual = y - design @ (inverse @ design.T @ y)
    influence = len(x) * (design * residual[:, None]) @ inverse
    clusters = {"white": np.arange(len(x)), "firm": firm, "year": year}
    errors = {
        name: np.array([Clustered.of(column, names).standard_error for column in influence.T])
        for name, names in clusters.items()
    }
    both = errors["firm"] ** 2 + errors["year"] ** 2 - errors["white"] ** 2
    errors["firm_and_year"] = np.sqrt(both)
    for name, found in errors.items():
        assert found == pytest.approx(published["petersen_cluster_se"][name], abs=6e-5), name


def test_clustered_error_agrees_with_statsmodels() -> None:
    """With clusters of one size the error is that of a regression on a constant."""
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(12), 5)
    values = rng.normal(size=60) + np.repeat(rng.normal(size=12), 5)
    theirs = sm.OLS(values, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert Clustered.of(values, clusters).standard_error == pytest.approx(theirs.bse[0])


def test_correction_and_degrees_of_freedom_agree_with_their_matrix_form() -> None:
    """Bell and McCaffrey 2002, written out: (I - H_gg)^(-1/2) and Satterthwaite's trace formula."""
    rng, sizes = np.random.default_rng(3), [1, 2, 3, 5, 9]
    n, clusters = sum(sizes), np.repeat(np.arange(5), sizes)
    values = rng.normal(size=n)
    hat, rows = np.full((n, n), 1 / n), []
    for g in range(5):
        own = clusters == g
        block = np.eye(own.sum()) - hat[np.ix_(own, own)]
        powers, vectors = np.linalg.eigh(block)
        root = vectors @ np.diag(powers**-0.5) @ vectors.T
        rows.append(root.sum(axis=0) @ (np.eye(n) - hat)[own] / n)
    weights = np.array(rows)
    data = Clustered.of(values, clusters)
    assert data.standard_error == pytest.approx(np.sqrt(((weights @ values) ** 2).sum()))
    eigenvalues = np.linalg.eigvalsh(weights @ weights.T)
    assert data.df == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


@pytest.mark.parametrize("kind", ["percentile", "basic", "bca"])
def test_bootstrap_intervals_agree_with_r(published: dict, kind: str) -> None:
    """R's boot on one sample with a million resamples; ours with 400,000, to half a percent."""
    reference = published["bootstrap_mean_R_boot"]
    x = np.array(reference["x"])
    data = Clustered.of(x, np.arange(len(x)))
    (draws,) = bootstrap_means([data], 400_000, 0)
    low, high = np.quantile(draws, [ALPHA, 1 - ALPHA])
    bounds = bca(data, draws)
    found = {
        "percentile": (low, high),
        "basic": (2 * data.mean - high, 2 * data.mean - low),
        "bca": (bounds.lower(ALPHA), bounds.upper(ALPHA)),
    }[kind]
    assert found == pytest.approx(reference[kind], rel=0.005)


def test_bca_agrees_with_scipy() -> None:
    """Unclustered it is scipy's, within the noise of the resamples."""
    x = np.random.default_rng(1).lognormal(size=40)
    theirs = stats.bootstrap((x,), np.mean, method="BCa", n_resamples=50_000, rng=2, batch=5_000)
    data = Clustered.of(x, np.arange(40))
    ours = bca(data, *bootstrap_means([data], 50_000, 0))
    expected = tuple(theirs.confidence_interval)
    assert (ours.lower(ALPHA), ours.upper(ALPHA)) == pytest.approx(expected, rel=0.01)


def test_sign_flip_agrees_with_scipy() -> None:
    """Unclustered it is scipy's paired permutation test."""
    x = np.random.default_rng(5).normal(0.4, 1, 25)
    theirs = stats.permutation_test(
        (x, np.zeros(25)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=6,
    ).pvalue
    (ours,) = sign_flips([Clustered.of(x, np.arange(25))], 20_000, 0)
    assert ours == pytest.approx(theirs, abs=0.01)


def test_wilson_published_value() -> None:
    """Newcombe 1998, table 1: 81 of 263 gives (0.2553, 0.3662), 0 of 20 gives (0, 0.1611)."""
    assert wilson(81, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20, 0.95) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_wilson_agrees_with_statsmodels() -> None:
    """At every count of twelve and at three levels."""
    from statsmodels.stats.proportion import proportion_confint

    for successes in range(13):
        for confidence in (0.8, 0.95, 0.999):
            theirs = proportion_confint(successes, 12, alpha=1 - confidence, method="wilson")
            assert wilson(successes, 12, confidence) == pytest.approx(theirs, abs=1e-12)


def test_student_quantile_is_right_as_far_out_as_p_goes() -> None:
    """Down to the smallest p told, at whole and broken degrees of freedom, it only grows."""
    levels = np.geomspace(1e-50, 0.4, 40)
    for df in (0.4, 1.0, 1.5, 2.0, 2.0000001, 2.5, 4.0, 19.0, 100.3):
        quantile = student(df)
        assert (np.diff([quantile(level) for level in levels]) < 0).all(), df
        assert quantile(0.025) == pytest.approx(stats.t.isf(0.025, df))
