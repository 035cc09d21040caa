"""From raw files, or values in memory, to batches: where the bytes come from (`sources`), what is made of them (`text`,
`tables`, `labelled`, `series`, `pictures`), and how they are put together for training (`batching`)."""
