"""How a bag of n-grams is trained: at high rates, each row of its table at its own pace."""

from __future__ import annotations

from search_spaces.parts.optimisation import learning_rate
from search_spaces.parts.sparse import sparse

SPACE = sparse(learning_rate(0.02, 1.0, default=0.15))
