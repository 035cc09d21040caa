"""What every room shares: the legend, the batch, kept state, errors and the registry of cells."""
