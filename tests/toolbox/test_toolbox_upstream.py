"""The same checks as SNN Toolbox's own tests of models; and those tests themselves, where a checkout is at hand."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toolbox_cases import write_config

from snntb_adsnn import AAN
from snntb_adsnn.data import load_dataset
from snntb_adsnn.frontends.keras.compat import keras
from snntb_adsnn.toolbox import register

register()

from snntoolbox.bin.utils import run_pipeline, update_setup  # noqa: E402

L = keras.layers


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A trained net in the layout of the toolbox's test net (branches, batch norm, average pooling): (model, file)."""
    folder = tmp_path_factory.mktemp("upstream")
    data = load_dataset("digits")
    keras.utils.set_random_seed(0)
    x = L.Input((8, 8, 1))
    h = L.Activation(AAN(m_f=0.1))(L.BatchNormalization(momentum=0.9)(L.Conv2D(16, 3)(x)))
    h = L.AveragePooling2D()(h)
    branches = [
        L.Conv2D(32, 3, padding="same", activation=AAN(m_f=0.1))(h),
        L.Conv2D(8, 1, activation=AAN(m_f=0.1))(h),
    ]
    h = L.Conv2D(10, 3, padding="same", activation=AAN(m_f=0.1))(L.Concatenate()(branches))
    model = keras.Model(x, L.Dense(10, activation="softmax")(L.Dropout(1e-5)(L.Flatten()(h))))
    model.compile(keras.optimizers.Adam(0.005), "categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.x_train, data.y_train, batch_size=64, epochs=12, verbose=0)
    model.save(folder / "net.h5")
    np.savez_compressed(folder / "x_test.npz", data.x_test)
    np.savez_compressed(folder / "y_test.npz", data.y_test)
    return model, folder / "net.ini"


def configuration(file, tools, **settings):
    simulation = {"duration": "100", "num_to_test": "100", "batch_size": "50"}
    log = {"log_vars": "{'activations_n_b_l', 'spiketrains_n_b_l_t'}"}
    changes = {"tools": tools, "simulation": simulation, "output": log, "adsnn": {"engine": "auto"}}
    return update_setup(str(write_config(file, {**changes, **settings})))


def test_parsing(case):
    """TestInputModel::test_parsing: the parsed model's accuracy is the input model's, to the last bit."""
    from snntoolbox.datasets.utils import get_dataset
    from snntoolbox.parsing.model_libs.adsnn_input_lib import ModelParser

    model, file = case
    config = configuration(file, {"normalize": "False"})
    _, testset = get_dataset(config)
    parser = ModelParser(model, config)
    parser.parse()
    parser.build_parsed_model()
    _, accuracy, _ = parser.evaluate(50, 100, **testset)
    assert accuracy == model.evaluate(testset["x_test"], testset["y_test"], 50, verbose=0)[1]


def test_loading_parsed_model(case):
    """TestModelIO::test_loading_parsed_model: the file it writes loads with Keras alone and answers alike."""
    model, file = case
    config = configuration(file, {"evaluate_ann": "False", "convert": "False", "simulate": "False"})
    run_pipeline(config)
    parsed = keras.models.load_model(file.with_name(config.get("paths", "filename_parsed_model") + ".h5"))
    x = np.random.default_rng(0).random((5, *model.input_shape[1:]))
    np.testing.assert_allclose(parsed.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


def test_running(case):
    """TestOutputModel: accuracy of at least 95 %, spike rates correlate with the ANN's activations."""
    from snntoolbox.simulation.utils import spiketrains_to_rates
    from snntoolbox.utils.utils import get_pearson_coefficients

    _, file = case
    config = configuration(file, {"evaluate_ann": "False"})
    (accuracy,) = run_pipeline(config)
    assert accuracy >= 0.95
    logs = np.load(file.with_name("log") / "gui/test/log_vars/0.npz", allow_pickle=True)
    rates = spiketrains_to_rates(logs["spiketrains_n_b_l_t"], 100, "temporal_mean_rate")
    correlations = np.mean(get_pearson_coefficients(rates, logs["activations_n_b_l"], 1.0), axis=1)
    assert (correlations[:-1] > 0.99).all(), correlations
    assert correlations[-1] > 0.9


@pytest.mark.slow
def test_upstream_tests_unchanged():
    """Their files as they are; ``upstream_plugin`` gives their fixtures AAN nets and our simulator."""
    checkout = os.environ.get("SNN_TOOLBOX_SOURCE")
    if not checkout:
        pytest.skip("set SNN_TOOLBOX_SOURCE to a checkout of snn_toolbox (neither wheel nor sdist holds tests/core)")
    tests = [
        "tests/core/test_models.py::TestInputModel::test_parsing",
        "tests/core/test_models.py::TestOutputModel::test_inisim",
        "tests/core/test_io.py::TestModelIO",
    ]
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "upstream_plugin", "-p", "no:cacheprovider", "-q", *tests],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{checkout}"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "3 passed" in done.stdout
