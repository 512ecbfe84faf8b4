"""What a run reads is brought to its folders."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from snntb_adsnn.config import load_config
from snntb_adsnn.errors import ConfigError
from snntb_adsnn.run import prepare_run


def stored(folder):
    return {path.stem: np.load(path)["arr_0"] for path in folder.glob("*.npz")}


def config(folder: Path, pretrained: str):
    path = folder / "c.ini"
    path.write_text(
        f"[paths]\npath_wd = run\ndataset_path = data\nfilename_ann = net\n[adsnn]\npretrained = {pretrained}\n"
        "[training]\ndataset = iris\narchitecture = iris\n"
    )
    return load_config(path)


def test_prepare_run_brings_data_and_shipped_model(tmp_path, capsys):
    with h5py.File(tmp_path / "shipped.h5", "w") as file:
        file.attrs["model_config"] = '{"class_name": "Sequential"}'
    shipped = (tmp_path / "shipped.h5").read_bytes()
    prepare_run(config(tmp_path, "shipped.h5"))
    model = tmp_path / "run" / "net.h5"
    assert model.read_bytes() == shipped
    prepare_run(config(tmp_path, "shipped.h5"))
    assert not capsys.readouterr().out
    assert stored(tmp_path / "data").keys() == {"x_test", "y_test", "x_norm"}
    model.write_bytes(b"trained by the user")
    prepare_run(config(tmp_path, "shipped.h5"))
    assert model.read_bytes() == b"trained by the user"
    assert f"The model is {model}, which is there already; [adsnn] pretrained = " in capsys.readouterr().out


def test_a_model_of_the_other_ending_is_not_passed_over(tmp_path, capsys):
    """``pretrained`` does not take its place; beside a .h5 it is not used, and the run says so."""
    shipped = tmp_path / "shipped.h5"
    with h5py.File(shipped, "w") as file:
        file.attrs["model_config"] = '{"class_name": "Sequential"}'
    settings = config(tmp_path, "shipped.h5")
    model = settings.paths.model_file.with_suffix(".keras")
    model.parent.mkdir()
    model.write_bytes(b"the user's")
    prepare_run(settings)
    assert f"The model is {model}, which is there already; [adsnn] pretrained = " in capsys.readouterr().out
    assert not settings.paths.model_file.exists()
    settings.paths.model_file.write_bytes(shipped.read_bytes())
    prepare_run(settings)
    assert f"The model is {settings.paths.model_file}; {model.name} beside it is not used." in capsys.readouterr().out


def test_a_link_to_nothing_and_an_unreadable_model(tmp_path, monkeypatch, capsys):
    settings = config(tmp_path, "shipped.h5")
    (tmp_path / "shipped.h5").write_bytes(b"shipped")
    model = settings.paths.model_file
    model.parent.mkdir()
    model.symlink_to("nowhere.h5")
    with pytest.raises(ConfigError, match=r"net\.h5: is a link to a file that is not there"):
        prepare_run(settings)
    model.unlink()
    model.write_bytes(b"the user's")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied", str(model))

    monkeypatch.setattr("filecmp.cmp", denied)
    prepare_run(settings)
    assert f"The model is {model}, which is there already" in capsys.readouterr().out


def test_prepare_run_copies_nothing_but_a_model(tmp_path):
    (tmp_path / "README.md").write_text("# no model")
    with pytest.raises(ConfigError, match=r"pretrained = .*README.md: is no model file"):
        prepare_run(config(tmp_path, "README.md"))
    assert not (tmp_path / "run" / "net.h5").exists()


def test_prepare_run_names_a_missing_shipped_model(tmp_path):
    with pytest.raises(ConfigError, match=r"pretrained = .*none.h5 does not exist; train first"):
        prepare_run(config(tmp_path, "none.h5"))
