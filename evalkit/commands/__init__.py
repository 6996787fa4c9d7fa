"""The commands: one file each, with ``add`` (its arguments) and ``run`` (what it does, and its exit code)."""
