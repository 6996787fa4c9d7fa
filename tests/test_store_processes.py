"""One store and several processes: of the same work one does it, and one that is killed loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evalkit.store import Store

SEVERAL = 4
WAIT = """
import json, sys, time
from pathlib import Path
from evalkit.store import Store
store, log = Store(Path(sys.argv[1])), Path(sys.argv[1]) / "log"
def note(what):
    with log.open("a") as file:
        file.write(what + "\\n")
print("ready", flush=True)
sys.stdin.readline()
"""
ARTIFACT = """
def build(folder):
    note("built")
    time.sleep(0.3)
    (folder / "x").write_text("whole")
print(json.dumps((store.artifact("index", {"a": 1}, build) / "x").read_text()))
"""
ROWS = """
rows, keys = store.rows("generations", {}), [str(n) for n in range(40)]
with rows.turn(keys):
    found = rows.get(keys)
    for key in keys:
        if key not in found:
            note(key)
            time.sleep(0.005)
            rows.put({key: "answer " + key})
print(json.dumps(rows.get(keys)))
"""
VECTORS = """
from evalkit.retrieval.embed import HashEmbedder
from evalkit.retrieval.vectors import StoredVectors
class Noted(HashEmbedder):
    def encode(self, texts, **how):
        for text in texts:
            note(text)
        time.sleep(0.2)
        return super().encode(texts, **how)
texts = [f"text{n}" for n in range(40)]
vectors = StoredVectors(lambda: store.rows("vectors", {})).of(texts, Noted(16))
print(json.dumps(vectors.tolist()))
"""
BUILDER = """
import sys, time
from pathlib import Path
from evalkit.store import Store
def build(folder):
    (folder / "half").write_text("x")
    print("building", flush=True)
    time.sleep(60)
Store(Path(sys.argv[1])).artifact("index", {"a": 1}, build)
"""
WRITER = """
import sys
from pathlib import Path
from evalkit.store import Store
rows = Store(Path(sys.argv[1])).rows("generations", {})
for number in range(100_000):
    rows.put({str(number): "x" * 300})
    print(number, flush=True)
"""


def child(code: str, *given: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, given)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


# --- several at once ---------------------------------------------------------------------------


def at_once(code: str, root: Path) -> tuple[list[Any], list[str]]:
    """What each of several processes found that began together, and what any of them did."""
    children = [child(WAIT + code, root) for _ in range(SEVERAL)]
    for each in children:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in children:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    found = [json.loads(each.communicate(timeout=60)[0]) for each in children]
    return found, (root / "log").read_text().split()


def test_processes_that_need_the_same_artifact_build_it_once(tmp_path: Path) -> None:
    """An adapter, say: the others wait, and take what the first one built."""
    found, done = at_once(ARTIFACT, tmp_path)
    assert (found, done) == (["whole"] * SEVERAL, ["built"])


def test_processes_that_ask_the_same_ask_it_once(tmp_path: Path) -> None:
    """Answers: whose turn it is makes what is missing; the others find it. No lock file stays."""
    found, done = at_once(ROWS, tmp_path)
    assert sorted(done, key=int) == [str(n) for n in range(40)]
    assert found == [{str(n): f"answer {n}" for n in range(40)}] * SEVERAL
    assert list(tmp_path.glob("generations/*/*.lock")) == []


def test_processes_that_need_the_same_index_embed_it_once(tmp_path: Path) -> None:
    """And all get the very same vectors."""
    found, done = at_once(VECTORS, tmp_path)
    assert sorted(done) == sorted(f"text{n}" for n in range(40))
    assert found == [found[0]] * SEVERAL


# --- one that is killed ------------------------------------------------------------------------


def test_a_build_that_is_killed_is_done_again(tmp_path: Path) -> None:
    """Its lock is free at once, and what it left is swept by the next one to build."""
    killed = child(BUILDER, tmp_path)
    assert killed.stdout is not None
    killed.stdout.readline()
    assert len(list((tmp_path / "index").glob(".building-*"))) == 1
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    started = time.monotonic()
    built = Store(tmp_path).artifact(
        "index", {"a": 1}, lambda folder: (folder / "x").write_text("1") and None
    )
    assert time.monotonic() - started < 5
    assert sorted(p.name for p in built.iterdir()) == ["manifest.json", "x"]
    assert list((tmp_path / "index").glob(".building-*")) == []


@pytest.mark.parametrize("after", [3, 40, 150])
def test_what_was_put_survives_a_kill(after: int, tmp_path: Path) -> None:
    """Every row whose ``put`` had returned is there, whole."""
    killed = child(WRITER, tmp_path)
    assert killed.stdout is not None
    for _ in range(after):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    told, _ = killed.communicate()
    last = after + len([line for line in told.split("\n")[:-1] if line])
    found = Store(tmp_path).rows("generations", {}).get(map(str, range(last)))
    assert found == {str(n): "x" * 300 for n in range(last)}


def test_the_turn_of_a_process_that_is_killed_is_over(tmp_path: Path) -> None:
    """Whoever waits for it goes on with what it had stored."""
    held = child(WAIT + ROWS.replace("0.005", "60"), tmp_path)
    assert held.stdin is not None
    held.stdin.write("go\n")
    held.stdin.flush()
    log = tmp_path / "log"
    while not log.exists():
        time.sleep(0.01)
    held.send_signal(signal.SIGKILL)
    held.communicate()
    rows, keys = Store(tmp_path).rows("generations", {}), [str(n) for n in range(40)]
    started = time.monotonic()
    with rows.turn(keys):
        assert time.monotonic() - started < 5
