"""Models of torch.nn's own classes: modules that `ostinato export --to torch` writes into its scripts."""
