"""From examples to batches: streams of a text, buckets of one length, windows; and what is held out to validate on."""
