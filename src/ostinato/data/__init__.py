"""From raw files to batches: text, tables, series, tagged words, pairs and pictures, in files or in memory."""
