"""Data sets: one file each, its reader and its checks."""
