"""Texts and tagged words: streamed, split into tokens, and stored as ids."""
