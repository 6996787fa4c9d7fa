"""Weights: obtained, converted, loaded."""
