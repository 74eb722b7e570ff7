"""How convolutions over a table of words' vectors are trained: as the table, at lower rates."""

from __future__ import annotations

from search_spaces.parts.optimisation import learning_rate
from search_spaces.parts.sparse import sparse

SPACE = sparse(learning_rate(0.01, 0.3, default=0.05))
