"""From examples to batches."""
