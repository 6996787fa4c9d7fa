"""Whole runs on a server: only what is missing is asked, and what it cannot serve is refused early."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from asking import overrides

import evalkit
from evalkit.configuration.assemble import Experiment
from evalkit.configuration.compose import compose, resolved
from evalkit.errors import ConfigError, EvalkitError
from evalkit.progress import Progress
from evalkit.records import Trace
from evalkit.stages import answering
from evalkit.store import Store


def answers(*given: str) -> list[Trace]:
    """The stage that generates, on its own, with what its store has."""
    experiment = Experiment(resolved(compose([*given, "pipeline=[prompt_only]"])))
    store = Store(Path(experiment.config["store"]))
    with closing(experiment.generator()) as generator:
        return answering.generate(
            experiment, generator, experiment.pipelines, {}, store, Progress(shown=False)
        )


def test_a_rerun_asks_only_what_is_missing(
    server: Any, shared_benchmark: Path, tmp_path: Path
) -> None:
    """Failed answers are traces with an error, a rerun asks for them alone, and a third one asks
    nothing.
    """
    given = overrides(server, shared_benchmark, tmp_path)
    good = server.saying('{"answer": "EUR 42", "source": "A", "effective": "2025-06-01"}')

    def picky(handler: Any) -> None:
        asked = handler.body["messages"][-1]["content"]
        (server.status(500) if "depot" in asked else good)(handler)

    server.usual = picky
    failed = [t.question for t in answers(*given) if t.error]
    assert sorted(failed) == ["q3", "q4", "q5"]
    server.usual, before = good, len(server.requests)
    assert [t.error for t in answers(*given)] == [None] * 6
    assert len(server.requests) - before == 3
    again = answers(*given)
    assert len(server.requests) - before == 3
    assert {t.output for t in again} == {
        '{"answer": "EUR 42", "source": "A", "effective": "2025-06-01"}'
    }


def test_what_came_before_the_server_went_down_is_kept(
    server: Any, shared_benchmark: Path, tmp_path: Path
) -> None:
    """The run ends with an error; the same command asks for the rest alone."""
    given = [*overrides(server, shared_benchmark, tmp_path), "model.engine.concurrency=1"]
    server.script, server.usual = [server.saying("EUR 42")] * 2, server.cut
    with pytest.raises(EvalkitError, match="no answer to 6 requests in a row"):
        answers(*given)
    server.usual, before = server.saying("EUR 42"), len(server.requests)
    assert [t.error for t in answers(*given)] == [None] * 6
    assert len(server.requests) - before == 6 - 2


def test_estimated_counts_are_not_taken_for_those_of_a_tokenizer(
    server: Any, shared_benchmark: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """What a run without one has stored is not found by a run that counts, which stores its own."""
    given = overrides(server, shared_benchmark, tmp_path)
    server.usual = server.saying("EUR 42", usage=None)
    counted = f"model.engine.tokenizer={tiny_model}"
    first, second, third = (answers(*given, *more) for more in ([], [counted], [counted]))
    assert {t.output_tokens for t in first} == {2}  # six bytes
    assert {t.output_tokens for t in second} == {6}  # one token a byte
    assert all(t.prompt.startswith("<system>") for t in second)
    assert third == second
    assert len(server.requests) == 2 * 6


def test_tuned_pipelines_need_an_adapter_that_the_server_has(
    server: Any, shared_benchmark: Path, tmp_path: Path
) -> None:
    """Without its name they are refused before anything is asked; with it nothing is trained."""
    given = [*overrides(server, shared_benchmark, tmp_path), "pipeline=[prompt_only,lora]"]
    with pytest.raises(ConfigError, match=r"\['lora'\] are tuned[\s\S]*model\.adapter_name=NAME"):
        evalkit.run(*given, f"run_dir={tmp_path / 'refused'}")
    assert server.requests == []
    result = evalkit.run(*given, "model.adapter_name=mine", f"run_dir={tmp_path / 'run'}")
    assert {body["model"] for body in server.requests} == {"m", "mine"}
    assert [p["adapter"] for p in result.results["pipelines"]] == [None, "server:mine"]
    assert not (tmp_path / "store" / "adapter").exists()


def test_an_adapter_name_means_nothing_to_a_model_on_this_machine(
    tiny_overrides: list[str], tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"model\.adapter_name is 'mine', but the model is on this"
    ):
        evalkit.run(*tiny_overrides, "+model.adapter_name=mine", f"run_dir={tmp_path / 'run'}")


def test_an_address_that_is_none_is_refused(shared_benchmark: Path, tmp_path: Path) -> None:
    class Odd:
        url = "localhost:8000"

    with pytest.raises(ConfigError, match=r"model\.base_url is 'localhost:8000'"):
        evalkit.run(*overrides(Odd, shared_benchmark, tmp_path), f"run_dir={tmp_path / 'run'}")
