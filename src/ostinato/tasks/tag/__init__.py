"""Taggers: words in, a tag for each of them out."""
