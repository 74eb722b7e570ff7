"""Named streams: the same on any machine, independent of each other and of order."""

from hypothesis import given
from hypothesis import strategies as st

from bench.seeds import derive


def test_a_stream_s_seed_never_changes():
    assert derive(7, "order", 3) == 1086205264


@given(st.integers(0, 2**63), st.lists(st.text(max_size=5) | st.integers(0, 99), max_size=3))
def test_seeds_fit_every_generator(seed, path):
    assert 0 <= derive(seed, *path) < 2**32
    assert derive(seed, *path) == derive(seed, *path)


def test_neighbouring_streams_differ():
    seeds = {derive(s, name, n) for s in range(5) for name in ("order", "init") for n in range(50)}
    assert len(seeds) == 500
