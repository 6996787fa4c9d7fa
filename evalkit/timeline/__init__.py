"""The study over time: pipelines that are left alone, updated, or updated when a budget allows.

At each date of a study the same questions are asked again, with the answers that are right then.
A pipeline is asked in each *state*: ``frozen`` (built at the first date and never touched), ``updated``
(the index brought up to date, the adapter trained again on what is known now) and ``budget`` (so
only when what has been saved up pays for it). Everything goes through the stages and the store
of a run, so that work which states or dates share is done once.
"""

from __future__ import annotations

from evalkit.configuration.assemble import Experiment
from evalkit.errors import ConfigError
from evalkit.plurals import counted
from evalkit.progress import Progress
from evalkit.results.costs import Prices
from evalkit.results.document import Found
from evalkit.store import Store
from evalkit.timeline.asking import over, span
from evalkit.timeline.learning import chosen_examples, known_at
from evalkit.timeline.settings import Timeline
from evalkit.timeline.workshop import Workshop, artifacts_used, given

__all__ = ["check", "roll_forward"]


def check(experiment: Experiment) -> None:
    """Refuse early what cannot work.

    Raises:
        ConfigError: It names the key, and what to do.
    """
    timeline, studied = _prepared(experiment)
    _refuse_dates(experiment, timeline)
    if not studied.benchmark.questions:
        raise ConfigError(
            f"timeline.dates: the right reply to no question of {studied.whole_benchmark.name} changes"
            f" between {timeline.first} and {timeline.dates[-1]}",
            todo="choose dates further apart, or timeline.only_changing=false",
        )
    if experiment.hypotheses:
        raise ConfigError(
            "hypotheses are tested in a run, not in a study over time",
            todo="leave them out with hypotheses=[]; the differences between states are in the report",
        )
    used = artifacts_used(studied)
    if "index" in used and (built_at := experiment.config["retriever"].get("built_at")):
        _refuse_own_date(f"retriever.built_at={built_at}", "an index is updated")
    if "adapter" in used:
        _refuse_training(studied, timeline)


def roll_forward(experiment: Experiment, store: Store, progress: Progress) -> Found:
    """Carry the study out; work that is in the store is not done again."""
    from evalkit.machine.environment import describe_environment
    from evalkit.timeline.questions import questions_over_time
    from evalkit.timeline.results import build
    from evalkit.timeline.study import run_study

    timeline, studied = _prepared(experiment)
    finished = run_study(Workshop(experiment, studied, timeline, store, progress))
    scores = finished.scores_frame()
    cells = f"{counted(len(timeline.dates), 'date')}, {counted(len(timeline.states), 'state')}"
    with progress.stage("compare", cells):
        results = build(finished, scores, describe_environment())
    made = {"traces": finished.traces_frame(), "scores": scores}
    return Found(results, made, questions_over_time(finished))


def _prepared(experiment: Experiment) -> tuple[Timeline, Experiment]:
    """The settings, and the experiment with the questions of the study."""
    prices = Prices.of(experiment.config.get("prices"))
    timeline = Timeline.of(experiment.config["timeline"], prices)
    whole = over(experiment.whole_benchmark, timeline.dates, only_changing=timeline.only_changing)
    return timeline, given(experiment, whole_benchmark=whole)


def _refuse_dates(experiment: Experiment, timeline: Timeline) -> None:
    benchmark = experiment.whole_benchmark
    known = span(benchmark)
    if known is None:
        raise ConfigError(
            f"timeline: nothing in the benchmark {benchmark.name} has a date",
            todo="choose a benchmark with dated revisions and answers, for example benchmark=handbook,"
            " or leave timeline out",
        )
    for i, day in enumerate(timeline.dates):
        if not known[0] <= day <= known[1]:
            raise ConfigError(
                f"timeline.dates[{i}] is {day}, but {benchmark.name} knows of {known[0]} to {known[1]}",
                todo="choose dates within that span",
            )


def _refuse_training(studied: Experiment, timeline: Timeline) -> None:
    if name := studied.adapter_name:
        raise ConfigError(
            f"model.adapter_name is {name}: an adapter that a server has cannot be trained again",
            todo="choose a model on this machine, or pipelines without tuning",
        )
    part = studied.config["tuning"]["examples"]
    if known := part.get("known_at"):
        _refuse_own_date(f"tuning.examples.known_at={known}", "an adapter is trained")
    chosen = chosen_examples(studied.benchmark, part, timeline.examples, studied.seed)
    for on in timeline.dates if timeline.updates else (timeline.first,):
        known_at(chosen, on)


def _refuse_own_date(setting: str, what: str) -> None:
    raise ConfigError(
        f"{setting}, but a study over time says itself when {what}",
        todo=f"leave it out with {setting.partition('=')[0]}=null",
    )
