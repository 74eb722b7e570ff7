"""CT volumes: how they are read, cut into slices, and painted for phantoms."""
