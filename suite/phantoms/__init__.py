"""Phantoms: one generator a data set, writing its real on-disk format."""
