"""Translators: a text in, another text out."""
