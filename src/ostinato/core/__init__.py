"""What every room shares: legend, batch, states, errors, registry of cells, files, the native library's binding."""
