"""The reference of all keys says what the sections take."""

import sys
from pathlib import Path

import pytest

from snntb_adsnn import cli
from snntb_adsnn.config import SECTIONS, load_config
from snntb_adsnn.config.reference import NEEDED, about, keys_of, markdown

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
REQUIRED = {"dataset": "iris", "architecture": "iris"}


def test_the_page_is_the_one_of_these_sections():
    assert PAGE.read_text() == markdown()


@pytest.mark.parametrize("name", SECTIONS)
def test_defaults_can_be_written_as_they_are_shown(name, tmp_path):
    file = tmp_path / "c.ini"
    shown = {
        key.name: REQUIRED.get(key.name) if key.default == NEEDED else key.default for key in keys_of(SECTIONS[name])
    }
    lines = "".join(f"{key} = {value}\n" for key, value in shown.items())
    file.write_text(f"[paths]\nfilename_ann = net\n[{name}]\n{lines}")
    needed = {key: value for key, value in REQUIRED.items() if key in shown}
    assert getattr(load_config(file), name) == SECTIONS[name](**needed)


def test_bounds_and_kinds():
    values = {key.name: key.values for name in SECTIONS for key in keys_of(SECTIONS[name])}
    assert values["matching_fraction"] == "number, > 0, <= 1"
    assert values["pixel_bits"] == "whole number, >= 1, <= 16"
    assert values["plots"] == "True or False"
    assert values["quantile"] == "list of: number, > 0, <= 1"
    assert values["reuse_factor"] == "by layer: whole number, >= 1 or `auto`"
    assert about(SECTIONS["training"]) == "What `snntb-adsnn train` does."


def test_the_command(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["snntb-adsnn", "keys", "arousal"])
    cli.main()
    shown = capsys.readouterr().out
    assert "[arousal] What snntb-adsnn arousal" in shown.replace("`", "")
    assert "waiting_time" in shown
    assert "reuse_factor" not in shown
    monkeypatch.setattr(sys, "argv", ["snntb-adsnn", "keys", "arosal"])
    with pytest.raises(SystemExit):
        cli.main()
    assert (
        "there is no section 'arosal' (did you mean 'arousal'?); choose one of adsnn, training"
        in capsys.readouterr().err
    )
