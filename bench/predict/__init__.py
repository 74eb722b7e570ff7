"""A run's winner on files that nobody has labelled: `bench predict`.

`request` finds what is meant and what there is, `replicates` its trained weights, `rows` reads the
files and runs them through the models, `folder` writes what came out.
"""

from bench.predict.request import Request, predict

__all__ = ["Request", "predict"]
