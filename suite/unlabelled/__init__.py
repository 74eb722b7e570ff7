"""New files in the format of a data set that nobody has labelled: one reader a data set."""
