"""One file a topology, and the decoder that two of them share."""
