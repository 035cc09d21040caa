"""Examples of long files in shards: read through once, encoded and kept on disk while others are trained on."""
