"""One file per family of instruction kinds; each function is a kind (see `registry.instruction`)."""
