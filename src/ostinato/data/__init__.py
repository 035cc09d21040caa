"""From raw files to batches: text, tokenizers, token ids on disk, and streams for truncated BPTT."""
