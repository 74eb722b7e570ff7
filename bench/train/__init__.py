"""One trial, in plain PyTorch: neither Ray nor Optuna is imported here."""
