"""What every side of the matrix comparison gets: prompts, weights and tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.store import key_of, package_source

ROOMS = ("generation", "models", "retrieval", "stages", "tuning")
"""Ours that have a part in prompts, weights and answers."""

TASK = """task: speed_{name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: ""
generation_kwargs: {{until: {ends}, do_sample: false, max_gen_toks: {new}}}
metric_list: [{{metric: bypass}}]
"""


def prepare(folder: Path, questions: int, dtype: str, overrides: Sequence[str]) -> Path:
    """The file that all sides read; made once for a number of questions, a dtype, overrides and our code,
    so that what was measured beside it is of one code too.
    """
    code = [package_source(f"evalkit.{room}") for room in ROOMS]
    made_of = key_of({"overrides": list(overrides), "code": code})
    home = folder / f"{questions}-{dtype}-{made_of[:8]}"
    work = home / "work.json"
    if work.exists():
        return work
    (home / "tasks").mkdir(parents=True, exist_ok=True)
    plan = _plan(folder, home, questions, dtype, overrides)
    for name, part in plan["pipelines"].items():
        rows = home / "tasks" / f"{name}.jsonl"
        lines = [json.dumps({"id": r["id"], "prompt": r["prompt"]}) for r in part["rows"]]
        rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
        task = TASK.format(
            name=name, rows=rows, ends=json.dumps(plan["end_texts"]), new=plan["new"]
        )
        (home / "tasks" / f"{name}.yaml").write_text(task, encoding="utf-8")
    work.write_text(json.dumps(plan), encoding="utf-8")
    return work


def _plan(
    folder: Path, home: Path, questions: int, dtype: str, overrides: Sequence[str]
) -> dict[str, Any]:
    from evalkit.configuration.assemble import Experiment
    from evalkit.configuration.compose import compose, resolved
    from evalkit.progress import Progress
    from evalkit.stages import preparing
    from evalkit.stages.retrieving import Retrievals
    from evalkit.store import Store

    control = questions * 3 // 25  # as many of them as in the study
    wanted = ["experiment=quartet", f"limit={questions - control}", f"control_limit={control}"]
    experiment = Experiment(resolved(compose([*wanted, f"model.engine.dtype={dtype}", *overrides])))
    store, asked = Store(folder / "store"), experiment.benchmark.questions
    with Progress() as progress:
        passages = preparing.chunk(experiment, progress)
        retrievals = Retrievals(experiment, passages, store, progress)
        retrievals.complete(asked)
        found = retrievals.of(asked)
        adapter = preparing.train(experiment, store, progress)
    base: Any = experiment.generator()
    tuned: Any = experiment.generator(adapter.folder, adapter.identity)
    weights = {}
    for name, engine in (("base", base), ("tuned", tuned)):
        weights[name] = str(home / name)
        engine.model.save_pretrained(weights[name], safe_serialization=True)
        engine.tokenizer.save_pretrained(weights[name])
        ends = sorted(engine._ends)
        engine.close()
    pipelines: dict[str, Any] = {}
    for pipeline in experiment.pipelines:
        rows = []
        for question in asked:
            fetched = found.passages[question.id] if pipeline.retrieval else ()
            messages, _ = pipeline.prepare(
                question, experiment.benchmark.format, fetched, base.count_tokens
            )
            prompt = base.render(messages)
            ids = base.tokenizer(prompt, add_special_tokens=False)["input_ids"]
            rows.append({"id": question.id, "messages": messages, "prompt": prompt, "ids": ids})
        pipelines[pipeline.name] = {"weights": "tuned" if pipeline.tuned else "base", "rows": rows}
    return {
        "pipelines": pipelines, "weights": weights, "adapter": str(adapter.folder), "ends": ends,
        "end_texts": [base.tokenizer.decode([end]) for end in ends], "dtype": base.dtype,
        "device": base.device, "new": experiment.decoding.max_new_tokens,
    }  # fmt: skip
