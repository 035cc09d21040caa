"""Numbers over time: dates, grids, windows, scales."""
