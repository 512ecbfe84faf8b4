"""AAN: the adaptive spiking neuron's transfer function as a Keras 2 activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from snntb_adsnn.frontends.activation import AnalogActivation
from snntb_adsnn.frontends.keras.compat import keras, tf
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

PACKAGE = "snntb_adsnn"


@keras.utils.register_keras_serializable(package=PACKAGE, name="AAN")
class AAN(AnalogActivation):
    """Activation f(S) of an adaptive analog neuron: use as ``Dense(64, activation=AAN(m_f=0.4))``.

    Every parameter is part of the name, so a tool that keeps only ``activation.__name__`` (SNN Toolbox) can find the
    same activation again.

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
        keras.utils.get_custom_objects()[self.__name__] = self
        self._function = _exact(self.parameters, gradient == BOUNDED) if form == "exact" else _taylor(self.parameters)

    def __call__(self, x: Any) -> Any:
        return self._function(tf.convert_to_tensor(x))


# Keras' .h5 format stores the bare class name
keras.utils.get_custom_objects()["AAN"] = AAN


def _bounded(slope: Any, excess: Any) -> Any:
    """The rule of ``neuron.gradient.training_gradient`` for the analytic ``slope``, ``excess`` = S - theta0/2."""
    tail = LARGEST_SLOPE * tf.exp(tf.minimum(excess, 0.0) / TAIL)
    return tf.where(excess > 0, tf.minimum(slope, LARGEST_SLOPE), tail)


def _exact(params: ASNParameters, bounded: bool) -> Any:
    """f = h dt/((1 - k_beta) T), with T from the cubic pieces of ``interval_table`` and their derivative."""
    table = interval_table(params)
    half = params.resting_threshold / 2
    scale = spike_height(params) * params.dt / (1 - params.k_beta)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def function(S: Any) -> Any:
        dtype = S.dtype
        excess = S - tf.constant(half, dtype)
        active = excess > 0
        positive = tf.where(active, excess, tf.ones_like(excess))
        z = tf.math.log(positive)
        inside = tf.clip_by_value(z, TABLE_START, TABLE_END)
        index = tf.minimum(tf.cast((inside - TABLE_START) / TABLE_STEP, tf.int32), len(table) - 1)
        u = (inside - (TABLE_START + TABLE_STEP * tf.cast(index, dtype))) / TABLE_STEP
        c0, c1, c2, c3 = tf.unstack(tf.gather(tf.constant(table, dtype), index), axis=-1)
        # below the table T grows linearly in z
        T = (
            c0
            + u * (c1 + u * (c2 + u * c3))
            + (tf.minimum(z, TABLE_START) - TABLE_START) * float(table[0, 1] / TABLE_STEP)
        )
        limited = tf.maximum(T, tf.constant(params.dt, dtype))
        y = tf.where(active, tf.constant(scale, dtype) / limited, tf.zeros_like(T))

        def gradient(upstream: Any) -> Any:
            slope = -y / T * (c1 + u * (2 * c2 + u * (3 * c3))) / (TABLE_STEP * positive)
            moving = tf.logical_and(active, T > params.dt)
            slope = tf.where(moving, slope, tf.zeros_like(slope))
            return upstream * (_bounded(slope, excess) if bounded else slope)

        return y, gradient

    return function


def _taylor(params: ASNParameters) -> Any:
    """Equation 11 in TensorFlow operations; the gradient is TensorFlow's own, which is bounded."""
    c1, c2, c3, c4 = taylor_constants(params)
    h = spike_height(params, form="taylor")
    ratio = params.tau_eta / params.tau_beta
    half = params.resting_threshold / 2
    c0 = h / np.expm1(ratio * (c1 * half + c2) / (c3 * half + c4))

    def function(S: Any) -> Any:
        s = tf.nn.relu(S)
        return tf.nn.relu(h / tf.math.expm1(ratio * (c1 * s + c2) / (c3 * s + c4)) - c0 + h / 2)

    return function
