"""AAN as a Keras 3 activation, in operations of ``keras.ops``: it runs on every backend of Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from snntb_adsnn.frontends.activation import AnalogActivation
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.gradient import BOUNDED, LARGEST_SLOPE, TAIL
from snntb_adsnn.neuron.transfer import (
    TABLE_END,
    TABLE_START,
    TABLE_STEP,
    interval_table,
    spike_height,
    taylor_constants,
)


@keras.saving.register_keras_serializable(package="snntb_adsnn", name="AAN")
class AAN(AnalogActivation):
    """Activation f(S) of an adaptive analog neuron: use as ``Dense(64, activation=AAN(m_f=0.4))``.

    Args:
        m_f: speed of adaptation.
        form: ``exact`` or ``taylor`` (see ``snntb_adsnn.neuron.transfer``).
        gradient: ``bounded``, with which nets train as with ReLU, or ``exact``, the analytic one, which is infinite at
            the threshold (see ``snntb_adsnn.neuron.gradient``). The values are the same.
        **constants: the other fields of ``ASNParameters``.
    """

    def __init__(self, m_f: float = 0.1, form: str = "exact", gradient: str = BOUNDED, **constants: float) -> None:
        super().__init__(m_f, form, gradient, **constants)
        self.__name__ = self.name
        self._function = _exact(self.parameters, gradient == BOUNDED) if form == "exact" else _taylor(self.parameters)

    def __call__(self, x: Any) -> Any:
        return self._function(ops.convert_to_tensor(x))


def _bounded(slope: Any, excess: Any) -> Any:
    """The rule of ``neuron.gradient.training_gradient`` for the analytic ``slope``, ``excess`` = S - theta0/2."""
    tail = LARGEST_SLOPE * ops.exp(ops.minimum(excess, 0.0) / TAIL)
    return ops.where(excess > 0, ops.minimum(slope, LARGEST_SLOPE), tail)


def _exact(params: ASNParameters, bounded: bool) -> Any:
    """f = h dt/((1 - k_beta) T), with T from the cubic pieces of ``interval_table`` and their derivative."""
    table = interval_table(params)
    half = params.resting_threshold / 2
    scale = spike_height(params) * params.dt / (1 - params.k_beta)

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def function(S: Any) -> Any:
        excess = S - half
        active = excess > 0
        positive = ops.where(active, excess, ops.ones_like(excess))
        z = ops.log(positive)
        inside = ops.clip(z, TABLE_START, TABLE_END)
        index = ops.minimum(ops.cast((inside - TABLE_START) / TABLE_STEP, "int32"), len(table) - 1)
        u = (inside - (TABLE_START + TABLE_STEP * ops.cast(index, S.dtype))) / TABLE_STEP
        pieces = ops.take(ops.convert_to_tensor(table, dtype=S.dtype), index, axis=0)
        c0, c1, c2, c3 = (pieces[..., i] for i in range(4))
        # below the table T grows linearly in z
        T = (
            c0
            + u * (c1 + u * (c2 + u * c3))
            + (ops.minimum(z, TABLE_START) - TABLE_START) * float(table[0, 1] / TABLE_STEP)
        )
        y = ops.where(active, scale / ops.maximum(T, params.dt), ops.zeros_like(T))

        def gradient(*arguments: Any, upstream: Any = None) -> Any:
            if upstream is None:  # TensorFlow and JAX give it alone
                (upstream,) = arguments
            slope = -y / T * (c1 + u * (2 * c2 + u * (3 * c3))) / (TABLE_STEP * positive)
            moving = ops.logical_and(active, T > params.dt)
            slope = ops.where(moving, slope, ops.zeros_like(slope))
            return upstream * (_bounded(slope, excess) if bounded else slope)

        return y, gradient

    return function


def _taylor(params: ASNParameters) -> Any:
    """Equation 11 in operations of Keras; the gradient is its backend's own, which is bounded."""
    c1, c2, c3, c4 = taylor_constants(params)
    h = spike_height(params, form="taylor")
    ratio = params.tau_eta / params.tau_beta
    half = params.resting_threshold / 2
    c0 = h / np.expm1(ratio * (c1 * half + c2) / (c3 * half + c4))

    def function(S: Any) -> Any:
        s = ops.relu(S)
        return ops.relu(h / ops.expm1(ratio * (c1 * s + c2) / (c3 * s + c4)) - c0 + h / 2)

    return function
