"""Residual nets. All but ``resnet9`` begin with a BN-AAN layer that codes the input in spikes."""

from __future__ import annotations

from typing import Any

from snntb_adsnn.nets.net import Layers, architecture


def _residual_block(net: Layers, x: Any, suffix: str, filters: int, strides: int) -> Any:
    """Pre-activation block with identity mapping (He et al. 2016, arXiv 1603.05027); where the shape changes, the
    shortcut is a projection of the block's first activation."""
    first = net.bn_aan(x, f"{suffix}a")
    residual = net.synapses(first, f"{suffix}a", filters, 3, strides)
    residual = net.synapses(net.bn_aan(residual, f"{suffix}b"), f"{suffix}b", filters, 3)
    if strides != 1 or x.shape[-1] != filters:
        x = net.synapses(first, f"{suffix}s", filters, 1, strides)
    return net.keras.Add(name=f"add_{suffix}")([x, residual])


def _residual_stages(net: Layers, x: Any, stages: list[tuple[int, int]]) -> Any:
    """Stages of (filters, blocks), every stage but the first at half the resolution; then the mean over pixels."""
    for stage, (filters, blocks) in enumerate(stages, 1):
        for block in range(1, blocks + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            x = _residual_block(net, x, f"{stage}{block}", filters, strides)
    return net.average(net.bn_aan(x, "last"))


@architecture("resnet_cifar", dimensions=3)
def _resnet_cifar(net: Layers, x: Any) -> Any:
    x = net.synapses(net.image_input(x), "stem", 32, 3)
    x = net.pool_bn_aan(x, "stem")
    return _residual_stages(net, net.synapses(x, "embed", 40, 3), [(40, 1), (64, 2), (88, 2)])


def _identity_block(net: Layers, x: Any, suffix: str, filters: int) -> Any:
    """The input plus what two layers of neurons make of it; a sum of spike trains, not of potentials."""
    residual = x
    for part in "ab":
        residual = net.bn_aan(net.synapses(residual, f"{suffix}{part}", filters, 3), f"{suffix}{part}")
    return net.keras.Add(name=f"add_{suffix}")([x, residual])


@architecture("resnet9", dimensions=3)
def _resnet9(net: Layers, x: Any) -> Any:
    """Four stages, a residual block behind the second and the last: few layers in a row, so that spikes arrive soon.

    The topology is that of D. Page's ResNet-9 (2018, "How to train your ResNet"), half as wide or less. The first
    neurons take in the image through their convolution, as a constant current: spiking colour channels would lose what
    lies below the threshold.
    """
    x = net.bn_aan(net.synapses(x, "1", 32, 3), "1")
    x = net.pool_bn_aan(net.synapses(x, "2", 64, 3), "2")
    x = _identity_block(net, x, "2", 64)
    x = net.pool_bn_aan(net.synapses(x, "3", 128, 3), "3")
    x = net.pool_bn_aan(net.synapses(x, "4", 192, 3), "4")
    x = _identity_block(net, x, "4", 192)
    return net.average(x)


@architecture("resnet18", dimensions=3)
def _resnet18(net: Layers, x: Any) -> Any:
    x = net.synapses(net.image_input(x), "stem", 64, 7, 2)
    x = net.pool_bn_aan(x, "stem", size=3)
    return _residual_stages(net, x, [(64, 2), (128, 2), (256, 2), (512, 2)])
