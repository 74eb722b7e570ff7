"""Named random streams: everything random draws from a stream of its own.

A stream is named by a path of words and numbers below the suite's seed, so that adding a trial, a
replicate or an entrant never shifts another one's numbers. Names are hashed, so that the streams
do not depend on the order in which they are asked for.
"""

from __future__ import annotations

import hashlib


def derive(seed: int, *path: str | int) -> int:
    """A seed in [0, 2**32) for the stream of that name: `derive(7, "order", 3)`."""
    name = "\x1f".join([str(seed), *map(str, path)])
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")
