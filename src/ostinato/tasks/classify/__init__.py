"""Classifiers: a text, or a sequence of numbers, in; its label out."""
