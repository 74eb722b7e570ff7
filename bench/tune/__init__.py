"""Many trials: the only importer of Ray and Optuna."""
