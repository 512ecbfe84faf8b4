"""Every key of SNN Toolbox's defaults: with simulator adsnn it acts, is at its default, or is refused with the reason."""

import configparser

import pytest

from snntb_adsnn.config import check_neurons, load_config
from snntb_adsnn.config.literals import EVALUATED, RefusedError, literal
from snntb_adsnn.config.toolbox import ACTS, TABLE, settled, toolbox_defaults
from snntb_adsnn.errors import ConfigError
from snntb_adsnn.neuron import ASNParameters

DEFAULTS = {(section, key): text for section, keys in toolbox_defaults().items() for key, text in keys.items()}
IDLE = [place for place, rule in TABLE.items() if rule != ACTS]
OURS = {"paths": {"filename_ann": "net"}, "simulation": {"simulator": "adsnn"}}

ARGUMENTS = {"datagen_kwargs": "{'rescale': 2}", "dataflow_kwargs": "{'seed': 2}"}


def configuration(folder, *places):
    """A configuration file with ``places``: section, key and value as it stands in the file."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    parser.read_dict(OURS)
    for section, key, value in places:
        parser.read_dict({section: {key: value}})
    file = folder / "c.ini"
    with file.open("w") as stream:
        parser.write(stream)
    return file


def changed(text):
    """Another value of the same kind."""
    if text in ("True", "False"):
        return str(text == "False")
    try:
        return str(float(text) + 1)
    except ValueError:
        return "m_f"


def test_the_table_has_every_key_of_the_toolbox_and_no_other():
    assert set(TABLE) == set(DEFAULTS)
    assert {"paths", "cell", "restrictions", "spinnaker", "normalization"} <= {section for section, _ in IDLE}


@pytest.mark.parametrize(("section", "key"), IDLE)
def test_another_value_of_a_key_that_does_nothing_is_refused(tmp_path, section, key):
    value, rule = ARGUMENTS.get(key) or changed(DEFAULTS[section, key]), TABLE[section, key]
    file = configuration(tmp_path, (section, key, value))
    with pytest.raises(ConfigError) as failure:
        load_config(file)
    reason = rule if isinstance(rule, str) else rule[1]
    sentence = f"{file}: [{section}] {key} = {value} does not apply to simulator adsnn: {reason}. Remove it"
    assert str(failure.value).startswith(sentence)
    # another simulator has its own rules
    file.write_text(file.read_text().replace("simulator = adsnn", "simulator = INI"))
    load_config(file)


@pytest.mark.parametrize(
    "text",
    [
        "[conversion] softmax_to_relu = True",
        "[conversion] maxpool_type = avg_max",
        "[cell] tau_refrac = 3",
        "[cell] reset = Reset to zero",
        "[cell] leak = True",
        "[cell] v_thresh = 0.5",
        "[normalization] online_normalization = True",
        "[normalization] percentile = -7",
        "[spinnaker] number_of_neurons_per_core = x",
        "[paths] filepath_custom_objects = own.py",
        "[paths] filename_clamp_indices = clamp",
        "[input] input_rate = 200",
        "[output] verbose = 0",
        "[parameter_sweep] param_logscale = True",
    ],
)
def test_what_was_once_accepted_without_effect(tmp_path, text):
    """Independent of the table."""
    section, key, value = text[1:].replace("] ", " = ").split(" = ")
    with pytest.raises(ConfigError) as failure:
        load_config(configuration(tmp_path, (section, key, value)))
    assert f"{text} does not apply to simulator adsnn: " in str(failure.value)


def test_defaults_pass_however_they_are_spelled(tmp_path):
    load_config(configuration(tmp_path, *((*place, DEFAULTS[place]) for place in IDLE)))
    load_config(configuration(tmp_path, *((*place, "") for place in IDLE)))
    spelled = [
        ("conversion", "softmax_to_relu", "no"),
        ("conversion", "max2avg_pool", "false"),
        ("cell", "v_thresh", "1.0"),
        ("cell", "tau_syn_E", "1e-2"),
        ("cell", "reset", "Reset  by subtraction"),
        ("input", "label_dict", "{ }"),
        ("input", "maxpool_subsampling", "on"),
        ("normalization", "percentile", "99.90"),
    ]
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read(configuration(tmp_path, *spelled))
    load_config(tmp_path / "c.ini")
    # and the toolbox reads the default itself
    assert {(s, k): text for s, k, text in settled(parser)} == {(s, k): DEFAULTS[s, k] for s, k, _ in spelled}


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("input", "datagen_kwargs", "{'rescale': 1 / 255}"),
        ("input", "dataflow_kwargs", "{'target_size': (8, 8)}"),
        ("paths", "class_idx_path", "classes.json"),
    ],
)
def test_keys_of_pictures_act_with_pictures(tmp_path, section, key, value):
    config = load_config(configuration(tmp_path, (section, key, value), ("input", "dataset_format", "png")))
    assert config.texts[section][key] == value


def test_keys_of_a_sweep_act_with_a_sweep(tmp_path):
    sweep = [("param_name", "m_f"), ("param_logscale", "True"), ("param_values", "[0.1, 0.2]")]
    config = load_config(configuration(tmp_path, *(("parameter_sweep", *one) for one in sweep)))
    assert [list(one.m_f.values()) for one in config.swept] == [[0.1], [0.2]]


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (
            [("simulation", "sample_idxs_to_test", "[3, -1]")],
            "[simulation] sample_idxs_to_test = [3, -1] is not allowed",
        ),
        ([("simulation", "duration", "-5")], "[simulation] duration = -5 must be a whole number above 0."),
        (
            [("simulation", "duration", "1"), ("simulation", "dt", "2")],
            "duration = 1 ms with dt = 2 ms: it is shorter than a time step",
        ),
        ([("parameter_sweep", "param_values", "[1]")], "param_name = v_thresh has no effect on simulator adsnn"),
        (
            [("parameter_sweep", "param_values", "[0.1, -1]"), ("parameter_sweep", "param_name", "m_f")],
            "param_values holds -1",
        ),
        (
            [("input", "dataset_format", "png"), ("simulation", "sample_idxs_to_test", "[3, 3]")],
            "pictures are shuffled, so numbers mean nothing; add 'shuffle': False",
        ),
    ],
)
def test_values_of_the_right_type_that_mean_nothing(tmp_path, places, words):
    file = configuration(tmp_path, *places)
    with pytest.raises(ConfigError) as failure:
        load_config(file)
    assert str(failure.value).startswith(f"{file}: ")
    assert words in str(failure.value)


def test_a_swept_value_that_fits_no_neuron(tmp_path):
    sweep = [("param_values", "[0.1, 3]"), ("param_name", "m_f")]
    config = load_config(configuration(tmp_path, *(("parameter_sweep", *one) for one in sweep)))
    with pytest.raises(ConfigError, match=r"c\.ini: \[parameter_sweep\] theta0 = 3 "):
        check_neurons(config, ASNParameters())


def test_mistakes_are_named_before_tensorflow_is_imported(tmp_path, monkeypatch, capsys):
    from snntb_adsnn.toolbox import flow

    file = configuration(tmp_path, ("simulation", "duration", "-5"))
    monkeypatch.setattr("sys.argv", ["snntoolbox", "-t", str(file)])
    monkeypatch.setattr(flow, "start_tensorflow", lambda: pytest.fail("TensorFlow was imported"))
    with pytest.raises(SystemExit, match="2"):
        flow._main(lambda filepath=None: pytest.fail("the toolbox ran"))()
    assert f"{file}: [simulation] duration = -5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'rescale': 1 / 255}", {"rescale": 1 / 255}),
        ("[-1, +2, (3, None), {True}]", [-1, 2, (3, None), {True}]),
        ("{}", {}),
        ("set()", set()),
        ("2 * 3 - 1e3", -994.0),
    ],
)
def test_a_literal_is_its_value(text, value):
    assert literal(text) == value


@pytest.mark.parametrize(
    "text", ["f()", "a", "a.b", "[1][0]", "{**{}}", "'a' * 9", "2 ** 9", "1e999", "1 / 0", "f'{1}'", "[", "lambda: 1"]
)
@pytest.mark.parametrize("place", EVALUATED)
def test_what_is_no_literal_is_refused(place, text):
    with pytest.raises(RefusedError, match="write a"):
        EVALUATED[place](text)
