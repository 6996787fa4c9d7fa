"""Content-addressed artifacts: what was computed once from the same inputs is not computed again.

A key is the hash of everything that can change the artifact; a ``manifest.json`` beside it spells
those inputs out. Large artifacts (an index, an adapter) are folders that are written beside and
renamed into place. Small results (a completion) are rows of a SQLite file in WAL mode, committed
as they come, so that a killed run loses at most the batch in flight.

::

    STORE/KIND/KEY/manifest.json     and the files of an artifact, or rows.sqlite
    STORE/KIND/KEY.lock              held while the artifact is built, opened or removed
    STORE/KIND/.building-KEY-...     a build under way, or one that was killed
    STORE/.sessions/                 what running processes use, so that it is not removed
"""

from evalkit.store.artifacts import Store, build_cost, key_of
from evalkit.store.code import package_source, source_of
from evalkit.store.rows import Rows
from evalkit.store.writer import Writer

__all__ = ["Rows", "Store", "Writer", "build_cost", "key_of", "package_source", "source_of"]
