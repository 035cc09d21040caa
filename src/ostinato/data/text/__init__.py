"""Texts, pairs of them, and words with tags: read in blocks, split into tokens, stored as ids."""
