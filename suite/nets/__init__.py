"""Torch modules that no library has, imported by a family's build."""
