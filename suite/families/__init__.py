"""Families: one file each; the file's name is the family's id."""
