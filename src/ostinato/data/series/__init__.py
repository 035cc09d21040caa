"""Numbers over time: dates and spacing, series on a grid, covariates, scales, and the windows cut from them."""
