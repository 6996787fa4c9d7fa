"""The store: nothing computed twice, nothing half-written ever used."""

from __future__ import annotations

import errno
import json
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import StoreError
from evalkit.store import Store, build_cost, key_of, locks

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_a_key_ignores_the_order_of_inputs_and_nothing_else(
    inputs: dict[str, object], random: object
) -> None:
    """Shuffled keys give the same hash; changing any one input gives another."""
    items = list(inputs.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert key_of(dict(items)) == key_of(inputs)
    for name in inputs:
        assert key_of({**inputs, name: ["changed", inputs[name]]}) != key_of(inputs)


def test_an_artifact_is_built_once_and_says_what_it_was_made_of(tmp_path: Path) -> None:
    store, built = Store(tmp_path), []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "x").write_text("1")

    first = store.artifact("index", {"a": 1}, build)
    assert store.artifact("index", {"a": 1}, build) == first
    other = store.artifact("index", {"a": 2}, build)
    assert (len(built), (first / "x").read_text()) == (2, "1")
    assert other != first
    manifest = json.loads((first / "manifest.json").read_text())
    assert (manifest["kind"], manifest["inputs"]) == ("index", {"a": 1})
    seconds, size = build_cost(first)
    assert 0 <= seconds < 60
    assert size == 1


def test_a_build_that_fails_leaves_nothing_that_looks_like_an_artifact(tmp_path: Path) -> None:
    """The next attempt builds again, from an empty folder."""
    store = Store(tmp_path)

    def broken(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ValueError("power cut")

    with pytest.raises(ValueError, match="power cut"):
        store.artifact("index", {"a": 1}, broken)
    seen: list[list[str]] = []
    store.artifact(
        "index", {"a": 1}, lambda folder: seen.append([p.name for p in folder.iterdir()])
    )
    assert seen == [[]]


def test_a_folder_without_manifest_is_built_again(tmp_path: Path) -> None:
    """What an interrupted copy or a curious user left there is not taken for an artifact."""
    store = Store(tmp_path)
    folder = store.artifact("index", {"a": 1}, lambda f: (f / "x").write_text("1") and None)
    (folder / "manifest.json").unlink()
    (folder / "x").write_text("corrupt")
    again = store.artifact("index", {"a": 1}, lambda f: (f / "x").write_text("2") and None)
    assert (again / "x").read_text() == "2"


def test_two_at_once_build_once(tmp_path: Path) -> None:
    """The second waits for the first and takes its result."""
    store, built, started = Store(tmp_path), [], threading.Event()

    def build(folder: Path) -> None:
        started.set()
        built.append(folder)
        threading.Event().wait(0.2)

    threads = [
        threading.Thread(target=store.artifact, args=("index", {"a": 1}, build)) for _ in range(2)
    ]
    threads[0].start()
    started.wait(5)
    threads[1].start()
    for thread in threads:
        thread.join(10)
    assert len(built) == 1


@pytest.mark.parametrize("what", ["artifact", "rows"])
def test_whoever_waits_for_another_says_so(
    what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, when it takes longer than a moment; training an adapter can take hours."""
    monkeypatch.setattr(locks, "MOMENT_S", 0.01)
    store = Store(tmp_path)
    rows, key = store.rows("generations", {}), key_of({"a": 1})
    (tmp_path / "adapter").mkdir()

    def use() -> None:
        if what == "artifact":
            store.artifact("adapter", {"a": 1}, lambda folder: None)
        else:
            with rows.turn(["k"]):
                pass

    waiting = threading.Thread(target=use)
    held = FileLock(tmp_path / "adapter" / f"{key}.lock")
    with rows.turn(["k"]) if what == "rows" else held:
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(10)
    assert not waiting.is_alive()
    said = f"adapter/{key}" if what == "artifact" else f"the same rows of {rows.path.parent}"
    assert [r.getMessage() for r in caplog.records] == [
        f"another process makes {said}; waiting for it"
    ]


def test_rows_are_durable_and_kept_apart_by_their_inputs(tmp_path: Path) -> None:
    """A row that was put is there for a new process; another model's rows are not."""
    rows = Store(tmp_path).rows("generations", {"model": "a"})
    rows.put({"k": {"text": "Grüße"}, "l": 1})
    again = Store(tmp_path).rows("generations", {"model": "a"})
    assert again.get(["k", "l", "m"]) == {"k": {"text": "Grüße"}, "l": 1}
    assert Store(tmp_path).rows("generations", {"model": "b"}).get(["k"]) == {}
    half = {"s": "half of a pair: \ud83d"}
    rows.put(half)
    assert rows.get(half) == half
    many = {str(i): i for i in range(1203)}
    rows.put(many)
    assert rows.get(many) == many


def test_an_error_of_the_builder_is_not_taken_for_one_of_the_store(tmp_path: Path) -> None:
    """A model that cannot be read is not a full disk."""

    def broken(folder: Path) -> None:
        raise FileNotFoundError("no tokenizer.json")

    with pytest.raises(FileNotFoundError, match=r"no tokenizer\.json"):
        Store(tmp_path).artifact("index", {"a": 1}, broken)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system"),
        RuntimeError("write error in vectors.faiss: 65491 != 821760 (No space left on device)"),
    ],
)
def test_a_disk_that_fills_up_while_building_is_said(tmp_path: Path, error: Exception) -> None:
    """Whatever library ran into it, and nothing half-written is taken for an artifact."""
    store = Store(tmp_path)

    def full(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise error

    with pytest.raises(StoreError, match=r"could not write to the store[\s\S]*free disk space"):
        store.artifact("index", {"a": 1}, full)
    built = store.artifact(
        "index", {"a": 1}, lambda folder: (folder / "x").write_text("1") and None
    )
    assert sorted(p.name for p in built.iterdir()) == ["manifest.json", "x"]


def test_a_store_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"store .*file/store[\s\S]*store=DIR"):
        Store(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match=r"the store .*file is a file[\s\S]*store=DIR"):
        Store(tmp_path / "file")


def test_a_store_knows_what_was_asked_of_it(tmp_path: Path) -> None:
    """Found or built, artifact or table, by whichever object of this process; a later one starts
    anew."""
    store, other = Store(tmp_path), Store(tmp_path)
    built = store.artifact("index", {"a": 1}, lambda folder: None)
    rows = other.rows("generations", {"b": 2})
    names = {f"index/{built.name}", f"generations/{rows.path.parent.name}"}
    assert store.used == other.used == names
    rows.close()
    del store, other, rows
    assert Store(tmp_path).used == frozenset()
    assert list((tmp_path / ".sessions").glob("*.used")) == []


def test_threads_share_a_table(tmp_path: Path) -> None:
    rows = Store(tmp_path).rows("generations", {})
    threads = [
        threading.Thread(target=lambda n=n: [rows.put({f"{n}-{i}": i}) for i in range(10)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(rows.get([f"{n}-{i}" for n in range(4) for i in range(10)])) == 40
