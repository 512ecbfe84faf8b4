"""hls4ml's own Keras converter on models with AAN activations."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import hls4ml
import numpy as np
import pytest
from adsnn_hls.cpp import Options, register
from adsnn_hls.fixed import simulate
from adsnn_hls.quantize import PixelFormat, Widths, calibrate, quantize

from snntb_adsnn.errors import ParameterError
from snntb_adsnn.frontends import convert
from snntb_adsnn.frontends.keras.activation import AAN
from snntb_adsnn.frontends.keras.compat import keras

STEPS = 20
L = keras.layers


def conv_model() -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            L.Input((6, 6, 1)),
            L.BatchNormalization(gamma_initializer=keras.initializers.Constant(2.0)),
            L.Activation(AAN(m_f=0.3)),
            L.Conv2D(3, 3, padding="same"),
            L.Activation(AAN(m_f=0.3)),
            L.MaxPooling2D(),
            L.Flatten(),
            L.Dense(6, activation=AAN(m_f=0.3)),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.build((None, 6, 6, 1))
    return model


def dense_model() -> Any:
    keras.utils.set_random_seed(1)
    gain = keras.initializers.Constant(2.0)
    layers = [L.BatchNormalization(gamma_initializer=gain), L.Activation(AAN(m_f=0.3)), L.Flatten()]
    layers += [L.Dense(8, activation=AAN(m_f=0.3)), L.Dense(3, activation="softmax")]
    return keras.Sequential([L.Input((6, 6, 1)), *layers])


def images(count: int = 4) -> np.ndarray:
    return np.round(np.random.default_rng(0).random((count, 6, 6, 1)) * 255) / 255


def configuration(model: Any, folder: Path, io_type: str = "io_stream", **section: Any) -> dict[str, Any]:
    config = hls4ml.utils.config.create_config(
        output_dir=str(folder), project_name="net", backend="Vitis", io_type=io_type
    )
    config["KerasModel"] = model
    config["HLSConfig"] = {"Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1}}
    if section:
        config["AdSNN"] = section
    return dict(config)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("build", [dense_model, pytest.param(conv_model, marks=pytest.mark.slow)])
def test_converted_model_computes_what_the_golden_model_does(build: Any, tmp_path: Path) -> None:
    register()
    model, x = build(), images()
    config = configuration(model, tmp_path / "project", CalibrationData=x, Options=Options(steps=STEPS))
    graph = hls4ml.converters.keras_v2_to_hls(config)
    graph.compile()

    network = convert(model, x)
    pixels = PixelFormat.of(x)
    fixed = quantize(network, calibrate(network, x, STEPS, pixels), pixels=pixels)
    golden = simulate(fixed, fixed.pixels(x), STEPS)
    assert min(int(counts.sum()) for counts in golden.spike_counts.values()) > 0
    found = graph.predict(fixed.pixels(x).astype(np.float64)).reshape(len(x), STEPS, 3)
    np.testing.assert_array_equal(found * 2.0**fixed.readout.potential.fraction, golden.outputs)
    assert config["KerasModel"] is model, "the user's configuration is not changed"


def test_widths_and_io_type_are_the_user_s(tmp_path: Path) -> None:
    register()
    section = {"CalibrationData": images(), "Quantize": {"widths": Widths(weights=5)}}
    config = configuration(conv_model(), tmp_path, "io_parallel", **section)
    graph = hls4ml.converters.keras_v2_to_hls(config)
    assert [v.name for v in graph.get_input_variables()] == ["pixels", "reset"]
    dense = next(node for node in graph.get_layers() if node.class_name == "SpikeDense")
    assert dense.get_weights("weight").type.precision.width == 5


def test_missing_calibration_data_are_named(tmp_path: Path) -> None:
    register()
    with pytest.raises(ParameterError, match="CalibrationData"):
        hls4ml.converters.keras_v2_to_hls(configuration(conv_model(), tmp_path))


def test_other_models_are_converted_as_before(tmp_path: Path) -> None:
    register()
    model = keras.Sequential([L.Input((4,)), L.Dense(3, activation="relu"), L.Dense(2), L.Activation("tanh")])
    graph = hls4ml.converters.keras_v2_to_hls(configuration(model, tmp_path))
    assert [node.class_name for node in graph.get_layers()] == ["Input", "Dense", "Activation", "Dense", "Activation"]
