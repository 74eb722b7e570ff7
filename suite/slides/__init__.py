"""Histology: patches of stained tissue, painted for phantoms."""
