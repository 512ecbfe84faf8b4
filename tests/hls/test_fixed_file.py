"""Files of fixed-point networks: what is read is what was written, or is refused."""

import tempfile

import numpy as np
from adsnn_hls.fixed import FixedNetwork
from damage import assert_damage_is_noticed, damaged, same
from forged import assert_refused_or_read, forged
from hls_nets import fixed_networks
from hypothesis import given, settings
from hypothesis import strategies as st
from shrinking import NOT_SHRUNK


# which network it was says little about a damaged byte
@settings(NOT_SHRUNK, max_examples=30)
@given(fixed_networks(), st.integers(0, 2**32 - 1))
def test_a_damaged_network_is_read_as_it_was_or_refused(case, seed):
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = case[0].save(f"{folder}/net.npz")
        data = path.read_bytes()
        again = FixedNetwork.load(path)
        assert same(again, case[0])
        assert again.digest() == case[0].digest()
        changes = [damaged(data, random) for _ in range(30)]
        assert assert_damage_is_noticed(path, case[0], changes, FixedNetwork.load)


@settings(NOT_SHRUNK, max_examples=6)
@given(fixed_networks(), st.integers(0, 2**32 - 1))
def test_a_forged_network_is_read_or_refused(case, seed):
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = case[0].save(f"{folder}/net.npz")
        data = path.read_bytes()
        assert assert_refused_or_read(path, [forged(data, random) for _ in range(30)], FixedNetwork.load)
