"""Random configurations: each is read, or refused in one line for each mistake, without names from inside libraries."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snntb_adsnn.config import SECTIONS, load_config
from snntb_adsnn.config.toolbox import toolbox_defaults
from snntb_adsnn.errors import ConfigError

sys.path.insert(0, str(Path(__file__).parents[1] / "catalogue"))
from catalogue import INNER, LONGEST

EXAMPLES = int(os.environ.get("ADSNN_FUZZ_EXAMPLES", "40"))
KEYS = {
    **{name: list(section.model_fields) for name, section in SECTIONS.items()},
    **{name: list(keys) for name, keys in toolbox_defaults().items()},
}
ODD = [
    *(
        "",
        "0",
        "-1",
        "1",
        "2",
        "0.5",
        "1e14",
        "1e400",
        "-1e400",
        "1e-400",
        "nan",
        "inf",
        "0x10",
        "1_000",
        "\uff11\uff12",
        "0,4",
    ),
    *("True", "no", "None", "auto", "fixed<8,1>", "fixed<1,2,3,4,5>", "[]", "[1", "{}", "{'a': 1}", "set()", "()", "'"),
    *(
        "%",
        "%%",
        "%(a)s",
        "%(filename_ann)s",
        "%(m_f)s",
        "a # b",
        "a ; b",
        "0.1, 0.2,",
        "8, dense: 6",
        ",",
        ":",
        "a: b: 1",
    ),
    *(
        "../x",
        "/",
        "~",
        "~nobody/x",
        ".",
        "a/b",
        "a\n b",
        "1\n 2",
        "x" * 3000,
        "9" * 5000,
        "(" * 300,
        "-" * 300,
        "[" * 300,
    ),
    *(
        "\x00",
        "\x1b[31m",
        "\u2028",
        "\ufeff",
        "\U0001f600",
        "\udcff".encode(errors="replace").decode(),
        "iris",
        "exact",
    ),
]
TEXTS = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.floats().map(str),
    st.integers().map(str),
    st.lists(st.sampled_from(ODD[:20]), max_size=4).map(", ".join),
)


@pytest.mark.parametrize("ours", [True, False], ids=["adsnn", "another simulator"])
@pytest.mark.parametrize("section", KEYS)
def test_any_section_is_read_or_refused(tmp_path_factory, section, ours):
    file = tmp_path_factory.mktemp("fuzz") / "c.ini"
    names = st.one_of(st.sampled_from(KEYS[section]), TEXTS)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(entries=st.lists(st.tuples(names, TEXTS), min_size=1, max_size=4))
    def read(entries):
        sections = {"paths": ["filename_ann = net"], "simulation": ["simulator = adsnn"] if ours else []}
        sections.setdefault(section, [])
        if section == "training":
            sections[section] += ["dataset = iris", "architecture = iris"]
        sections[section] += [f"{key} = {text}" for key, text in entries]
        text = "".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())
        file.write_text(text, encoding="utf-8")
        _read_or_refused(file)

    read()


@settings(max_examples=5 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.one_of(st.text(st.characters(codec="utf-8")).map(str.encode), st.binary(max_size=200)))
def test_any_file_is_read_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.ini"
    file.write_bytes(text)
    _read_or_refused(file)


def _read_or_refused(file):
    """``load_config`` returns or raises ConfigError, whose lines a user can read."""
    message = _refusal(file)
    lines = message.splitlines()
    assert lines == message.split("\n") or not message
    assert len(set(lines)) == len(lines), lines
    for line in lines:
        assert line.startswith(f"{file}: "), line
        assert line.isprintable(), line
        assert not INNER.search(line.replace(str(file), "")), line
        assert len(line) - len(str(file)) <= LONGEST, line
        assert line.endswith((".", "...")), line


def _refusal(file):
    try:
        load_config(file)
    except ConfigError as error:
        return str(error)
    return ""
