"""Searching for options: trials are trainings in processes of their own, drawn by Optuna, kept as run folders."""
