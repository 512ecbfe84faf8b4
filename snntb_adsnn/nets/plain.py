"""Nets without branches. All begin with a BN-AAN layer that codes the input in spikes."""

from __future__ import annotations

from typing import Any

from snntb_adsnn.nets.net import Layers, architecture


def _tabular(net: Layers, x: Any, units: int) -> Any:
    # values below the mean carry as much as those above: lift them out of the silent zone;
    # an epoch has few batches here: let the moving averages follow quickly
    x = net.bn_aan(x, "input", beta_initializer="ones", momentum=0.9)
    return net.dense(x, "1", units, momentum=0.9)


@architecture("iris", dimensions=1)
def _iris(net: Layers, x: Any) -> Any:
    return _tabular(net, x, 32)


@architecture("sonar", dimensions=1)
def _sonar(net: Layers, x: Any) -> Any:
    return _tabular(net, x, 192)


@architecture("digits", dimensions=3)
def _digits(net: Layers, x: Any) -> Any:
    x = net.bn_aan(x, "input")
    x = net.conv(x, "1", 16, 3, pool=False)
    return net.flatten(net.conv(x, "2", 32, 3))


@architecture("mnist", dimensions=3)
def _mnist(net: Layers, x: Any) -> Any:
    # the batch-norm puts the black background below 0, where neurons are silent
    x = net.bn_aan(x, "input")
    x = net.conv(x, "1", 24, 5)
    return net.flatten(net.conv(x, "2", 48, 5))


@architecture("mnist_dense", dimensions=3)
def _mnist_dense(net: Layers, x: Any) -> Any:
    return net.dense(net.flatten(net.bn_aan(x, "input")), "1", 128)


# filters of each convolution, and whether pooling follows
_VGG = [(32, False), (64, True), (128, True), (128, False), (192, True), (192, False)]


@architecture("vgg_cifar", dimensions=3)
def _vgg_cifar(net: Layers, x: Any) -> Any:
    x = net.image_input(x)
    for i, (filters, pool) in enumerate(_VGG, 1):
        x = net.synapses(x, str(i), filters, 3)
        x = (net.pool_bn_aan if pool else net.bn_aan)(x, str(i))
    return net.keras.Dropout(0.2, name="dropout")(net.flatten(x))
