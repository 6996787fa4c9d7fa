"""From configuration to objects: limits, pipelines, and a clear refusal of what cannot work."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import evalkit
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.configuration.making import call, make
from evalkit.errors import ConfigError
from evalkit.records import Passage
from evalkit.stages.preparing import index_inputs


def experiment(tiny_overrides: list[str], *more: str) -> Experiment:
    return Experiment(resolved(compose([*tiny_overrides, *more])))


def ids(made: Experiment) -> list[str]:
    return sorted(q.id for q in made.benchmark.questions)


def test_without_a_limit_every_question_is_asked(tiny_overrides: list[str]) -> None:
    assert ids(experiment(tiny_overrides)) == ["c1", "q1", "q2", "q3", "q4", "q5"]


def test_a_limit_counts_test_questions_and_control_questions_apart(
    tiny_overrides: list[str],
) -> None:
    """limit=3 asks three of the five test questions, spread over categories; control is in
    proportion (round(3 * 1 / 5) = 1) unless it has a limit of its own."""
    made = experiment(tiny_overrides, "limit=3")
    chosen = [q for q in made.benchmark.questions if q.category != "control"]
    assert sorted(q.category for q in chosen) == ["changed", "unanswerable", "unchanged"]
    assert [q.id for q in made.benchmark.questions if q.category == "control"] == ["c1"]
    assert len(ids(experiment(tiny_overrides, "limit=3", "control_limit=0"))) == 3
    assert ids(experiment(tiny_overrides, "limit=2")) == [
        i for i in ids(experiment(tiny_overrides, "limit=2")) if i != "c1"
    ]


def test_a_limit_is_nested(tiny_overrides: list[str]) -> None:
    """A quick look's answers are a part of the longer run's, and its generations are at hand."""
    small, large = (set(ids(experiment(tiny_overrides, f"limit={n}"))) for n in (2, 4))
    assert small < large


def test_another_selection_is_another_fingerprint(tiny_overrides: list[str]) -> None:
    """Runs on different questions are never taken for comparable."""
    whole, part = experiment(tiny_overrides), experiment(tiny_overrides, "limit=2")
    assert whole.benchmark.fingerprint != part.benchmark.fingerprint
    assert whole.benchmark.fingerprint == experiment(tiny_overrides, "seed=5").benchmark.fingerprint


def test_a_pipeline_may_have_a_prompt_of_its_own(tiny_overrides: list[str]) -> None:
    """Then its template's identity differs from that of the others."""
    made = experiment(
        tiny_overrides, "pipeline=[prompt_only,rag]", "+pipelines.rag.prompt.system=Be terse."
    )
    plain, rag = made.pipelines
    assert rag.template.system == "Be terse."
    assert rag.template.question == plain.template.question
    assert rag.template.identity != plain.template.identity


def test_training_examples_are_those_that_the_configuration_names(
    tiny_overrides: list[str],
) -> None:
    assert len(experiment(tiny_overrides).examples) == 4
    whole = experiment(tiny_overrides, "tuning=lora_knowledge", "tuning.examples.limit=null")
    assert len(whole.examples) == 8
    assert experiment(tiny_overrides, "seed=1").examples != experiment(tiny_overrides).examples


def test_knowledge_of_another_day_trains_another_adapter() -> None:
    """On the handbook: other answers under other dates; on the day of the file itself, the same."""

    def made(*more: str) -> list[str]:
        rendered = experiment(
            [], "tuning=lora_knowledge", "tuning.examples.limit=60", *more
        ).examples
        return [str(e) for e in rendered]

    written, march = made(), made("tuning.examples.known_at=2025-03-31")
    october = made("tuning.examples.known_at=2025-10-31")
    assert march == written
    assert not set(october) <= set(written)
    assert any("2025-10-31" in e for e in october)
    assert not any("2025-10-31" in e for e in written)


def test_training_uses_the_prompt_that_the_tuned_pipelines_share(tiny_overrides: list[str]) -> None:
    """Trained on the very prompt that is used at test time; where they differ, on the common one."""
    both = [f"+pipelines.{name}.prompt.system=Be terse." for name in ("lora", "hybrid")]
    square = [*tiny_overrides, "pipeline=[lora,hybrid]"]
    assert "Be terse." in experiment(square, *both).examples[0].messages[0]["content"]
    assert "Be terse." not in experiment(square, both[0]).examples[0].messages[0]["content"]


def test_the_judge_needs_no_weights_unless_told(tiny_overrides: list[str]) -> None:
    """By default no embedder and no evidence; what cannot be a choice of evidence is refused."""
    offline = experiment(tiny_overrides, "judge=offline")
    assert offline.judge.name == "offline-lexical"
    assert "embedder" not in vars(offline)
    with pytest.raises(
        ConfigError, match=r"judge\.evidence is 'maybe', expected true, false or auto"
    ):
        _ = experiment(tiny_overrides, "judge=offline", "judge.evidence=maybe").judge


def test_an_index_depends_on_passages_and_embedder(tiny_overrides: list[str]) -> None:
    """Another text, title, date or embedder is another index; the retriever's k is not."""
    made = experiment(tiny_overrides)
    passage = Passage("A#0", "A", "A@1", "T", "text")
    base = index_inputs(made, [passage])
    assert index_inputs(experiment(tiny_overrides, "retriever.k=9"), [passage]) == base
    changed = [
        index_inputs(made, [Passage("A#0", "A", "A@1", "T", "other")]),
        index_inputs(made, [Passage("A#0", "A", "A@1", "U", "text")]),
        index_inputs(made, [passage, passage]),
        index_inputs(made, [replace(passage, valid_to=date(2025, 6, 1))]),
        index_inputs(made, [replace(passage, intact=False)]),
        index_inputs(experiment(tiny_overrides, "embedder.name=other"), [passage]),
        index_inputs(experiment(tiny_overrides, "embedder.encoder.dimension=64"), [passage]),
    ]
    assert base not in changed


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("limit=0", "limit is 0, expected a whole number"),
        ("limit=true", "limit is True, expected a whole number"),
        ("limit=many", "limit is 'many', expected a whole number"),
        ("control_limit=-1", "control_limit is -1, expected a whole number"),
        ("seed=first", "seed is 'first', expected a whole number"),
        ("retriever.k=0", "retriever.k is 0, expected a whole number, at least 1"),
        ("retriever.k=few", "retriever.k is 'few'"),
        ("retriever.view=today", "view is 'today'; expected one of"),
        ("retriever.view=stale", "without built_at"),
        (
            "retriever.built_at=spring",
            "retriever.built_at is 'spring', expected a date written YYYY-MM-DD",
        ),
        ("+retriever.chunker.size=3", "retriever.chunker: could not make .* 'size'"),
        ("+model.engine.quant=4", r"model\.engine: the unknown keys \['quant'\]"),
        ("+model.decoding.top_k=4", r"model\.decoding: the unknown keys \['top_k'\]"),
        ("model.engine._target_=evalkit.nothing", "model.engine: could not make 'evalkit.nothing'"),
        ("model.engine._target_=os.system", "model.engine"),
        ("+judge.judge.mood=1", r"judge\.judge: the unknown keys \['mood'\]"),
        ("+tuning.settings.depth=1", "tuning.settings: could not make .* 'depth'"),
        ("+statistics.alpha=1", r"statistics has the unknown keys \['alpha'\]"),
        ("statistics.resamples=0", "statistics.resamples is 0"),
        ("statistics.confidence=95", "statistics.confidence is 95, expected a share such as 0.95"),
        ("+prompt.sytem=x", r"prompt has the unknown keys \['sytem'\]"),
        ("prompt.question='{when}'", "a placeholder that nothing fills: 'when'"),
        ("+pipelines.rag.retriever=x", r"pipelines\.rag has the unknown keys \['retriever'\]"),
        ("pipelines.rag.context=web", r"pipelines\.rag\.context is 'web'"),
        ("pipelines.rag.shots=9", r"pipelines\.rag\.shots is 9, but training\.jsonl has 6"),
        ("pipeline=[]", "no pipelines"),
        (
            "tuning=none",
            r"pipelines \['lora', 'hybrid'\] are tuned, but tuning=none trains nothing",
        ),
        ("tuning.examples.kinds=[manners]", "names 'manners'"),
        ("+tuning.examples.known_at=May", r"tuning\.examples\.known_at is 'May', expected a date"),
        ("tuning.examples.limit=x", r"tuning\.examples\.limit is 'x'"),
        ("+retreiver.k=1", r"unknown keys \['retreiver'\][\s\S]*did you mean retriever"),
        ("model.decoding.max_new_tokens=0", "max_new_tokens is 0, expected at least 1"),
        ("model.decoding.temperature=hot", "temperature is 'hot', expected a number"),
        ("model.engine.dtype=float8", "dtype is 'float8', expected one of"),
        ("tuning.examples.without_context=2", "without_context is 2"),
        (
            "prompt.system='${oc.env:NOT_SET_ANYWHERE}'",
            "Environment variable 'NOT_SET_ANYWHERE' not found",
        ),
        ("prices.machine_hour=cheap", "prices.machine_hour is 'cheap', expected a number"),
        ("+prices.gpu_hour=1", "prices: .*'gpu_hour'"),
        ("name='${nowhere}'", "'nowhere' not found"),
        ("benchmark.path=nowhere", "nowhere"),
        ("model.weights.path=nowhere", "no config.json in nowhere"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    override: str, said: str, tiny_overrides: list[str], tmp_path: Path
) -> None:
    """Each by its key, with what was expected, and without a run folder left behind."""
    kept = [
        o for o in tiny_overrides if not (override == "tuning=none" and o.startswith("tuning."))
    ]
    with pytest.raises(evalkit.EvalkitError, match=said):
        evalkit.run(*kept, override, f"run_dir={tmp_path / 'run'}", f"store={tmp_path / 'store'}")
    assert not (tmp_path / "run").exists()


def test_an_error_inside_what_is_made_is_not_hidden() -> None:
    """Our own errors come through as they are; a wrong number of arguments is the configuration's."""
    with pytest.raises(ConfigError, match=r"expected one of"):
        make(
            {
                "_target_": "evalkit.pipelines.Pipeline",
                "name": "p",
                "template": None,
                "context": "web",
            },
            "x",
        )

    def engine(folder: str) -> None:
        raise TypeError(f"inside {folder}")

    with pytest.raises(TypeError, match="inside a"):
        call(engine, "model.engine", "a")
    with pytest.raises(ConfigError, match=r"model\.engine: too many positional arguments"):
        call(engine, "model.engine", "a", "b")
