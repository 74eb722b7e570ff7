"""What one GPU makes of this project's training: `python -m tests.perf.gpu`.

It needs PyTorch, timm and, by the model, torchvision or transformers; neither Ray nor Optuna nor
plotly nor pytest nor a network. docs/performance.md says what its columns mean.
"""
