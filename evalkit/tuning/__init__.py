"""Adapters: training examples in, a folder of safetensors out."""
