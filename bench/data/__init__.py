"""From prepared arrays to batches on the device."""
