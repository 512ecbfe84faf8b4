"""Files of networks that somebody has changed on purpose: read, or refused in one line; never another error."""

import tempfile
import tracemalloc

import numpy as np
import pytest
from forged import assert_refused_or_read, at, forged, npy, packed, parts, places
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import conv_net, networks
from shrinking import NOT_SHRUNK

from snntb_adsnn.errors import OutputError
from snntb_adsnn.network import SpikingNetwork


@settings(NOT_SHRUNK, max_examples=15)
@given(networks(dyadic=False), st.integers(0, 2**32 - 1))
def test_a_forged_network_is_read_or_refused(case, seed):
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = case[0].save(f"{folder}/net.npz")
        data = path.read_bytes()
        changes = [forged(data, random) for _ in range(30)]
        assert assert_refused_or_read(path, changes, SpikingNetwork.load)


@pytest.mark.parametrize("shape", [[10**12], [10**6, 10**6], [-1], [-(2**40)]])
def test_an_array_that_claims_a_huge_shape_takes_no_memory(shape, tmp_path):
    path = conv_net().save(tmp_path / "net.npz")
    header, members = parts(path.read_bytes())
    entry = next(e for p in places(header) if isinstance(e := at(header, p), dict) and "sha256" in e)
    entry["shape"] = shape
    members[f"{entry['array']}.npy"] = npy(np.zeros(2**25, np.uint8))  # 32 MB, which deflate to 32 KB
    path.write_bytes(packed(header, members))
    tracemalloc.start()
    try:
        with pytest.raises(OutputError, match=r"net\.npz: damaged network file"):
            SpikingNetwork.load(path)
        assert tracemalloc.get_traced_memory()[1] < (2**20 if min(shape) < 0 else 2**27)
    finally:
        tracemalloc.stop()
