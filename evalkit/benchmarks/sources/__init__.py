"""Published benchmarks, read in the layout in which they are published; see ``SOURCES.md``.

Nothing of them is shipped. Each module has one ``load``, which takes a path or a hub id and gives a
`Benchmark`.
"""
