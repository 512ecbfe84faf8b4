"""A network whose potentials are shifted by its spikes, and inputs for it."""

import numpy as np

from snntb_adsnn.network import Input, Neurons, Readout, SpikingNetwork
from snntb_adsnn.network.maps import Conv2D, Dense, Reshape, Window
from snntb_adsnn.neuron import ASNParameters

PAIR = Window((2, 2), (2, 2))


def network(m_f=0.8):
    """Input neurons, a convolution with pooling, a dense layer (one bias a neuron); spikes are few and large."""
    random = np.random.default_rng(3)
    parameters = ASNParameters(m_f=m_f)

    def weights(*shape):
        return (random.normal(0.05, 1.4 / np.sqrt(np.prod(shape[:-1])), shape)).astype(np.float32)

    def bias(*shape):
        return random.normal(0.2, 0.1, shape).astype(np.float32)

    conv = Conv2D("conv", ("first",), ((6, 6, 2),), weights(3, 3, 2, 6), Window((3, 3)))
    return SpikingNetwork(
        (
            Input("x", (), (), (6, 6, 2)),
            Neurons("first", ("x",), ((6, 6, 2),), bias(2), parameters),
            conv,
            Neurons("second", ("conv",), ((4, 4, 6),), bias(2, 2, 6), parameters, pool=PAIR),
            Reshape("flat", ("second",), ((2, 2, 6),), (24,)),
            Dense("dense", ("flat",), ((24,),), weights(24, 12)),
            Neurons("third", ("dense",), ((12,),), bias(12), parameters),
            Dense("last", ("third",), ((12,),), weights(12, 4)),
            Readout("out", ("last",), ((4,),), bias(4)),
        )
    )


def images(seed, count=60):
    return np.random.default_rng(seed).uniform(0, 1.5, (count, 6, 6, 2))
