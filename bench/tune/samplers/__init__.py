"""What makes Optuna's samplers fit: resting trials, fixed spaces."""
