"""`ostinato bench lm`: language models trained, evaluated and let write, beside plain PyTorch and NumPy."""
