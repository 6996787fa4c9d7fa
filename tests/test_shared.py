"""What several objects use together is made once, and dropped when the last lets go."""

from __future__ import annotations

import gc

from evalkit.shared import Shared


class Holder:
    pass


def test_a_thing_is_made_once_and_dropped_once() -> None:
    dropped: list[list[int]] = []
    shared: Shared[list[int]] = Shared(dropped.append)
    a, b = Holder(), Holder()
    (one, let_go_a), (two, let_go_b) = (shared.hold(h, "key", lambda: [1]) for h in (a, b))
    assert one is two
    let_go_a()
    let_go_a()  # twice is once
    assert dropped == []
    let_go_b()
    assert dropped == [[1]]
    again, _ = shared.hold(a, "key", lambda: [2])
    assert again == [2]


def test_another_key_is_another_thing() -> None:
    shared: Shared[list[int]] = Shared()
    holder = Holder()
    assert shared.hold(holder, "a", lambda: [1])[0] is not shared.hold(holder, "b", lambda: [1])[0]


def test_a_holder_that_is_gone_has_let_go() -> None:
    dropped: list[str] = []
    shared: Shared[str] = Shared(dropped.append)
    holder = Holder()
    shared.hold(holder, "key", lambda: "thing")
    del holder
    gc.collect()
    assert dropped == ["thing"]
