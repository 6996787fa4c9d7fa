"""The stages of a run, each with what it keeps in the store."""
