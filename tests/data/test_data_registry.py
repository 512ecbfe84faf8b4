"""The list of data sets: open to others, and the one place where a set is named."""

import numpy as np
import pytest
from image_files import write_folder

from snntb_adsnn.config import TrainingSection, load_config
from snntb_adsnn.data import DATASETS, Choice, Dataset, dataset, ensure_toolbox_data, load_dataset, one_hot
from snntb_adsnn.errors import ConfigError, DataError, ParameterError
from snntb_adsnn.training.feed import feed, held_out_first


@pytest.fixture
def mine(monkeypatch):
    """A data set of the user's own."""
    monkeypatch.setattr(DATASETS, "_entries", dict(DATASETS))

    @dataset("mine")
    def load(cache):
        x = np.arange(80, dtype=np.float32).reshape(40, 2)
        y = one_hot(np.arange(40) % 2, 2)
        return Dataset(x[:30], y[:30], x[30:], y[30:], "mine", ("even", "odd"))


def configuration(folder):
    file = folder / "c.ini"
    file.write_text(
        "[paths]\npath_wd = run\ndataset_path = data\nfilename_ann = net\n"
        "[training]\ndataset = mine\narchitecture = iris\nvalidation_split = 0.2\n"
    )
    return load_config(file)


def test_a_data_set_of_the_users_own(tmp_path, mine):
    config = configuration(tmp_path)
    assert load_dataset("mine").classes == ("even", "odd")
    ensure_toolbox_data(config.training.data, tmp_path / "data")
    assert np.load(tmp_path / "data" / "x_test.npz")["arr_0"].shape == (10, 2)
    x, labels = held_out_first(config, 9)
    assert (x[:, 0] % 4 // 2 == labels).all()
    batches = feed(config.training.data.open(), config.training, config.file)
    assert (batches.input_shape, batches.test_images) == ((2,), 10)
    with pytest.raises(ParameterError, match="data set 'mine' is registered already"):
        dataset("mine")(None)


def test_without_it_the_name_is_refused_with_all_that_there_are(tmp_path):
    with pytest.raises(
        ConfigError, match="dataset = mine is not allowed: it should be 'iris', 'sonar', .* or 'image_f"
    ):
        configuration(tmp_path)


def test_folders_are_an_entry_like_the_others(tmp_path):
    root = write_folder(tmp_path / "images", classes=("ant", "bee"), test=4)
    choice = Choice("image_folder", root, image_size=8, test_images=3)
    opened = choice.open()
    assert opened.sample(3).name == choice.state()
    chosen = np.array([1, 0])
    np.testing.assert_array_equal(opened.train_inputs(chosen), opened.load([opened.train[1], opened.train[0]]))
    with pytest.raises(DataError, match="needs the folder"):
        Choice("image_folder").open()
    with pytest.raises(ValueError, match="folder and dataset = image_folder belong together"):
        TrainingSection(dataset="iris", architecture="iris", folder=root)
    with pytest.raises(DataError, match="'image_folder' is unknown: choose one of iris"):
        load_dataset("image_folder")
