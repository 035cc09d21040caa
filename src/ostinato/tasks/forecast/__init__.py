"""Forecasters: a table of series in, how they go on out."""
