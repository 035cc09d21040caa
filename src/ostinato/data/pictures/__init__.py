"""Pictures or their features, and the captions that are said of them."""
