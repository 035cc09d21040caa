"""Regression: a text, or a sequence of numbers, in; one or several real numbers out."""
