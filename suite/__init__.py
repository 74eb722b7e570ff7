"""What is benchmarked: suites, tasks, data sets, phantoms, families."""
