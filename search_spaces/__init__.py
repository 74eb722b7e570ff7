"""Over which parameters: one file a space."""
