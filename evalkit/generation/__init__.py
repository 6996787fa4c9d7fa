"""Engines that complete prompts: requests in, completions out."""
