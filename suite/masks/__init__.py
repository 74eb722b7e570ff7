"""Masks that were made elsewhere: one reader a data set, on the grid of its published files."""
