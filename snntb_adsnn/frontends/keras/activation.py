"""AAN: the adaptive spiking neuron's transfer function as a Keras activation."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.frontends.keras.compat import keras, tf
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.neuron.transfer import (
    FORMS,
    TABLE_END,
    TABLE_START,
    TABLE_STEP,
    interval_table,
    spike_height,
    taylor_constants,
)

PACKAGE = "snntb_adsnn"


@keras.utils.register_keras_serializable(package=PACKAGE, name="AAN")
class AAN:
    """Activation f(S) of an adaptive analog neuron: use as ``Dense(64, activation=AAN(m_f=0.4))``.

    Every parameter is part of the name, so a tool that keeps only ``activation.__name__`` (SNN Toolbox) can find the
    same activation again. The gradient is the analytic one.

    Args:
        m_f: speed of adaptation.
        form: ``exact`` or ``taylor`` (see ``snntb_adsnn.neuron.transfer``).
        **constants: the other fields of ``ASNParameters``.
    """

    def __init__(self, m_f: float = 0.1, form: str = "exact", **constants: float) -> None:
        if form not in FORMS:
            raise ParameterError(f"AAN has no form {form!r}: choose one of {', '.join(FORMS)} (relu is Keras' own).")
        self.parameters = ASNParameters(m_f=m_f, **constants)
        self.form = form
        self.height = spike_height(self.parameters, form=form)
        self.__name__ = self.name
        keras.utils.get_custom_objects()[self.__name__] = self
        self._function = _exact(self.parameters) if form == "exact" else _taylor(self.parameters)

    @property
    def name(self) -> str:
        """Name that holds every parameter, e.g. ``aan_exact_mf0.4_theta0.4_...``."""
        values = self.parameters.as_dict()
        return f"aan_{self.form}_" + "_".join(f"{short}{values[key]!r}" for short, key in _SHORT.items())

    @classmethod
    def from_name(cls, name: str) -> AAN:
        """The activation that a name made by ``AAN.name`` stands for.

        Raises:
            ParameterError: the name is not of that form.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise ParameterError(f"{name!r} is not the name of an AAN activation (such as {cls().name!r}).")
        values = {key: float(match[key]) for key in _SHORT.values()}
        return cls(form=match["form"], **values)

    def __call__(self, x: Any) -> Any:
        return self._function(tf.convert_to_tensor(x))

    def get_config(self) -> dict[str, Any]:
        """Everything needed to make the same activation again."""
        return {"form": self.form, **self.parameters.as_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AAN:
        """Inverse of ``get_config``."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"AAN({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AAN) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


_SHORT = {
    "mf": "m_f",
    "theta": "theta0",
    "gamma": "tau_gamma",
    "eta": "tau_eta",
    "beta": "tau_beta",
    "phi": "tau_phi",
    "dt": "dt",
}
assert set(_SHORT.values()) == {field.name for field in dataclasses.fields(ASNParameters)}
# Keras' .h5 format stores the bare class name
keras.utils.get_custom_objects()["AAN"] = AAN
_NAME = re.compile(
    r"aan_(?P<form>exact|taylor)_" + "_".join(rf"{short}(?P<{key}>[0-9.e+-]+)" for short, key in _SHORT.items())
)


def _exact(params: ASNParameters) -> Any:
    """f = h dt/((1 - k_beta) T), with T from the cubic pieces of ``interval_table`` and their derivative."""
    table = interval_table(params)
    half = params.resting_threshold / 2
    scale = spike_height(params) * params.dt / (1 - params.k_beta)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def function(S: Any) -> Any:
        dtype = S.dtype
        excess = S - tf.constant(half, dtype)
        active = excess > 0
        z = tf.math.log(tf.where(active, excess, tf.ones_like(excess)))
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
            slope = -y / T * (c1 + u * (2 * c2 + u * (3 * c3))) / (TABLE_STEP * excess)
            moving = tf.logical_and(active, T > params.dt)
            return upstream * tf.where(moving, slope, tf.zeros_like(slope))

        return y, gradient

    return function


def _taylor(params: ASNParameters) -> Any:
    """Equation 11 in TensorFlow operations; the gradient is TensorFlow's own."""
    c1, c2, c3, c4 = taylor_constants(params)
    h = spike_height(params, form="taylor")
    ratio = params.tau_eta / params.tau_beta
    half = params.resting_threshold / 2
    c0 = h / np.expm1(ratio * (c1 * half + c2) / (c3 * half + c4))

    def function(S: Any) -> Any:
        s = tf.nn.relu(S)
        return tf.nn.relu(h / tf.math.expm1(ratio * (c1 * s + c2) / (c3 * s + c4)) - c0 + h / 2)

    return function
