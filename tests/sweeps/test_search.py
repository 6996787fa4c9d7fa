"""A search with Optuna: what is asked, what is told, and going on with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sweeping import OBJECTIVE, Invented, document, records, sweep

from evalkit import cli
from evalkit.errors import EvalkitError

optuna = pytest.importorskip("optuna", reason="optuna is absent: pip install 'evalkit[optuna]'")

SEARCH = ["hydra/sweeper=optuna", OBJECTIVE, "hydra.sweeper.sampler=random"]
SPACE = "retriever.k=range(1,9)"


def trials() -> list[Any]:
    study = optuna.load_study(study_name="evalkit", storage="sqlite:///sweep/optuna.db")
    found: list[Any] = study.trials
    return found


def test_trials_are_jobs_and_their_values_the_objective(invented: Invented) -> None:
    """What is swept is the space; the study is in the sweep's folder, with the objective's direction."""
    invented.value = lambda config: -((config.retriever.k - 5) ** 2) / 100
    assert sweep(*SEARCH, SPACE, "hydra.sweeper.n_trials=6") == 0
    assert [t.state.name for t in trials()] == ["COMPLETE"] * 6
    asked = [t.params["retriever.k"] for t in trials()]
    assert set(asked) <= set(range(1, 9))
    assert [t.value for t in trials()] == [pytest.approx(-((k - 5) ** 2) / 100) for k in asked]
    assert invented.ran == list(dict.fromkeys(asked))  # what is asked again is at hand
    assert document()["swept"] == ["retriever.k"]
    study = optuna.load_study(study_name="evalkit", storage="sqlite:///sweep/optuna.db")
    assert study.direction.name == "MAXIMIZE"


def test_a_search_counts_on_when_it_is_resumed(invented: Invented) -> None:
    """Trials of before count, those that gave nothing are tried again, and the sampler does not
    propose from the beginning.
    """
    space = "tuning.settings.learning_rate=tag(log,interval(1e-5,1e-2))"
    invented.value = lambda config: config.tuning.settings.learning_rate
    assert sweep(*SEARCH, space, "hydra.sweeper.n_trials=3") == 0
    first = [t.params for t in trials()]
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert len(trials()) == len(invented.ran) == 3
    assert cli.main(["sweep", "sweep", "--resume", "hydra.sweeper.n_trials=6"]) == 0
    assert len(trials()) == len(invented.ran) == 6
    assert not [t.params for t in trials()[3:] if t.params in first]


def test_trials_that_failed_are_tried_again(invented: Invented) -> None:
    """In the session in which they fail they count, so that a search ends."""
    invented.broken = {k: EvalkitError("no") for k in range(1, 9)}
    assert sweep(*SEARCH, SPACE, "hydra.sweeper.n_trials=3") == 1
    assert [t.state.name for t in trials()] == ["FAIL"] * 3
    failed = [t.params["retriever.k"] for t in trials()]
    invented.broken = {}
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    again = trials()[3:]
    assert [t.params["retriever.k"] for t in again] == failed
    assert [t.state.name for t in again] == ["COMPLETE"] * 3
    assert {r.status for r in records().values()} == {"finished"}


def test_a_trial_that_was_running_when_the_search_ended_is_not_lost(invented: Invented) -> None:
    """A parent that is killed leaves trials that nobody will ever tell about."""
    invented.broken = {k: KeyboardInterrupt() for k in range(1, 9)}
    assert sweep(*SEARCH, SPACE, "hydra.sweeper.n_trials=2") == cli.EXIT_INTERRUPTED
    assert [t.state.name for t in trials()] == ["RUNNING"]
    invented.broken = {}
    assert cli.main(["sweep", "sweep", "--resume"]) == 0
    assert [t.state.name for t in trials()] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert trials()[1].params == trials()[0].params


def test_several_trials_at_once_are_chosen_together(
    invented: Invented, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch is one launch, which a launcher may run in parallel."""
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    sizes: list[int] = []
    launch = BasicLauncher.launch

    def noted(self: Any, job_overrides: Any, initial_job_idx: int) -> Any:
        sizes.append(len(job_overrides))
        return launch(self, job_overrides, initial_job_idx)

    monkeypatch.setattr(BasicLauncher, "launch", noted)
    space = "tuning.settings.learning_rate=interval(0.001,0.1)"
    assert sweep(*SEARCH, space, "hydra.sweeper.n_trials=5", "hydra.sweeper.n_jobs=2") == 0
    assert sizes == [2, 2, 1]


def test_every_way_of_sweeping_is_a_distribution() -> None:
    """Bounds, steps and scales are Hydra's: a range ends before its stop."""
    from evalkit.sweeps.planning import parse
    from evalkit.sweeps.search import _distribution

    found = {
        o.get_key_element(): _distribution(o.get_key_element(), o)
        for o in parse(
            [
                "a=1,2,x", "b=range(1,9,2)", "c=interval(0,1)", "d=int(interval(1,64))",
                "e=tag(log,interval(1e-5,1e-2))", "f=[x],[y,z]", "g=range(1,2)", "h='p, q',r",
            ]
        )
    }  # fmt: skip
    d = optuna.distributions
    assert found == {
        "a": d.CategoricalDistribution(["1", "2", "x"]),
        "b": d.IntDistribution(1, 7, step=2),
        "c": d.FloatDistribution(0, 1),
        "d": d.IntDistribution(1, 64),
        "e": d.FloatDistribution(1e-5, 1e-2, log=True),
        "f": d.CategoricalDistribution(["[x]", "[y,z]"]),
        "g": d.CategoricalDistribution(["1"]),
        "h": d.CategoricalDistribution(["'p, q'", "r"]),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hydra/sweeper=optuna", SPACE], "searches for the best objective, and none is given"),
        (SEARCH, "has nothing to search"),
        ([*SEARCH, SPACE, "hydra.sweeper.n_trials=0"], "n_trials is 0"),
        ([*SEARCH[:2], SPACE, "hydra.sweeper.sampler=oracle"], "sampler is 'oracle'"),
        ([*SEARCH, SPACE, "hydra.sweeper.direction=up"], "direction is 'up'"),
        ([*SEARCH, "model.decoding.temperature=tag(log,interval(0,1))"], "temperature"),
        (
            [SEARCH[0], SPACE, "objective={metric: correctness/generation/corect, pipeline: rag}"],
            "did you mean correctness/generation/correct",
        ),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    arguments: list[str], said: str, invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything runs, in one plain error."""
    assert sweep(*arguments) == 2
    assert said in capsys.readouterr().err
    assert invented.ran == []


def test_another_direction_needs_another_folder(
    invented: Invented, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trials of before would be read upside down."""
    assert sweep(*SEARCH, SPACE, "hydra.sweeper.n_trials=1") == 0
    again = [*SEARCH, SPACE, "hydra.sweeper.direction=minimize", "hydra.sweeper.n_trials=2"]
    assert sweep(*again) == 2
    assert "is to maximize, and not to minimize" in capsys.readouterr().err
    assert Path("sweep/optuna.db").exists()
