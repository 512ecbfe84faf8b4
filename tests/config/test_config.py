"""Configuration files: what is accepted, how paths resolve, and that every mistake names file, section, key, value."""

import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snntb_adsnn.config import AdsnnSection, TrainingSection, check_neurons, load_config
from snntb_adsnn.errors import ConfigError
from snntb_adsnn.neuron import ASNParameters

CONFIGS = Path(__file__).parents[2] / "configs"
MINIMAL = "[paths]\nfilename_ann = net\n"


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "c.ini"
        path.write_text(text)
        return path

    return write


def test_minimal_file_has_the_defaults(write, tmp_path):
    config = load_config(write(MINIMAL))
    assert config.paths.path_wd == config.paths.dataset_path == tmp_path
    assert config.paths.model_file == tmp_path / "net.h5"
    assert config.adsnn == AdsnnSection()
    assert config.adsnn.readout_tau_phi == 50
    assert config.training is None


def test_values_are_read_with_their_types(write):
    config = load_config(
        write(
            MINIMAL
            + "[adsnn]\nengine = reference\nm_f = 0.4\ntau_eta = 60\nform = taylor\nplots = no\nseed = 7\n"
            + "[training]\ndataset = mnist\narchitecture = mnist_dense\ncoding_noise = 1\naugmentation = True\n"
        )
    )
    assert (config.adsnn.engine, config.adsnn.form, config.adsnn.plots, config.adsnn.seed) == (
        "reference",
        "taylor",
        False,
        7,
    )
    assert config.adsnn.overrides == {"tau_eta": 60.0}
    assert config.adsnn.m_f == {"": 0.4}
    assert (config.adsnn.bias_correction, config.adsnn.slope_correction) == ("auto", True)
    assert config.training == TrainingSection(
        dataset="mnist", architecture="mnist_dense", coding_noise=1.0, augmentation=True
    )


def test_what_is_read_of_the_toolboxs_own_sections(write):
    config = load_config(
        write(
            MINIMAL
            + "[simulation]\nsimulator = adsnn\nduration = 60\ndt = 0.5\nnum_to_test = 7\n"
            + "[input]\ndataset_format = png\n[tools]\nsimulate = no\n[output]\nplotproperties = {'font.family': 'a%%b'}\n"
        )
    )
    simulation = config.simulation
    assert (simulation.duration, simulation.dt, simulation.num_to_test, simulation.batch_size) == (60, 0.5, 7, None)
    assert (config.input.dataset_format, config.tools.simulate, config.tools.parse) == ("png", False, True)
    assert config.texts["output"] == {"plotproperties": "{'font.family': 'a%%b'}"}
    assert load_config(config) is config
    assert load_config(write(MINIMAL + "[simulation]\nsample_idxs_to_test = []\n")).simulation.chosen == ""
    # settings for other simulators are theirs
    assert load_config(write(MINIMAL + "[conversion]\nspike_code = ttfs\n")).simulation.simulator == "INI"


def test_m_f_by_layer(write):
    config = load_config(write(MINIMAL + "[adsnn]\nm_f = 0.4, conv_1: 0.8, dense/1: 1\n"))
    assert config.adsnn.m_f == {"": 0.4, "conv_1": 0.8, "dense/1": 1.0}
    assert load_config(write(MINIMAL + "[adsnn]\nm_f = conv_1: 0.8\n")).adsnn.m_f == {"conv_1": 0.8}
    assert AdsnnSection(m_f=0.4).m_f == {"": 0.4}


def test_waits_and_corrective_spikes(write):
    def read(text):
        return load_config(write(f"{MINIMAL}[adsnn]\n{text}\n")).adsnn

    assert (AdsnnSection().onset, AdsnnSection().corrective, AdsnnSection().read_out_time) == ({}, None, 50)
    assert read("onset = 5").onset == {"": 5.0}
    assert read("onset = aan_1: 5").onset == {"aan_1": 5.0}
    assert read("onset = aan_1: 0, aan/2: 12.5").onset == {"aan_1": 0.0, "aan/2": 12.5}
    chosen = read("onset = auto\nreadout_tau_phi = auto")
    assert (chosen.onset, chosen.readout_tau_phi, chosen.read_out_time) == ("auto", "auto", 50)
    assert read("tau_phi = 3").overrides == {"tau_phi": 3.0}  # the neurons' own, not the read-out's
    assert read("corrective = 2\nreadout_tau_phi = 20").corrective == 2
    assert read("readout_tau_phi = 20").read_out_time == 20


def test_paths_count_from_the_file_not_from_the_working_directory(tmp_path, monkeypatch):
    folder, elsewhere = tmp_path / "configs", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "c.ini").write_text(
        "[paths]\npath_wd = ../runs/x\ndataset_path = data\nfilename_ann = net\n[adsnn]\npretrained = models/net.h5\n"
    )
    monkeypatch.chdir(elsewhere)
    for spelling in (folder / "c.ini", Path("../configs/c.ini")):
        config = load_config(spelling)
        assert config.paths.path_wd == tmp_path / "runs" / "x"
        assert config.paths.dataset_path == folder / "data"
        assert config.adsnn.pretrained == folder / "models" / "net.h5"


def test_absolute_paths_stay(write, tmp_path):
    config = load_config(write(f"[paths]\npath_wd = {tmp_path}/abs\nfilename_ann = net\n"))
    assert config.paths.path_wd == tmp_path / "abs"


def test_comments_follow_the_toolbox(write):
    """The toolbox's parser knows comment lines, but no comments behind a value: the same file means the same here."""
    assert load_config(write("# c\n; c\n" + MINIMAL)).paths.filename_ann == "net"
    with pytest.raises(ConfigError, match=r"\[adsnn\] m_f = 0\.4 # precise"):
        load_config(write(MINIMAL + "[adsnn]\nm_f = 0.4 # precise\n"))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[adsnn]\nm_ff = 0.1\n", ["[adsnn]", "'m_ff'", "did you mean 'm_f'", "snntb-adsnn keys adsnn"]),
        ("[training]\nepoch = 3\n", ["[training]", "'epoch'", "did you mean 'epochs'"]),
        ("[simulation]\nnum_to_tset = 3\n", ["[simulation]", "'num_to_tset'", "did you mean 'num_to_test'"]),
        ("[adsn]\nm_f = 0.1\n", ["[adsn]", "did you mean 'adsnn'"]),
        ("[adsnn]\nm_f = -0.1\n", ["[adsnn]", "m_f = -0.1", "greater than 0"]),
        ("[adsnn]\nm_f = nan\n", ["m_f = nan", "finite"]),
        ("[adsnn]\nm_f = inf\n", ["m_f = inf", "finite"]),
        ("[adsnn]\nm_f = fast\n", ["m_f = fast", "should be a number"]),
        ("[adsnn]\nm_f = 0.4, conv_1: 0\n", ["m_f.conv_1 = 0", "greater than 0"]),
        ("[adsnn]\nm_f = 0.4, 0.8\n", ["m_f = 0.4, 0.8", "'layer: value'"]),
        ("[adsnn]\nbias_correction = -1\n", ["bias_correction = -1", "must be a whole number of at least 0, or auto"]),
        ("[adsnn]\nbias_correction = 0\nslope_correction = True\n", ["slope_correction has no effect with bias_corr"]),
        ("[adsnn]\nslope_correction = 2\n", ["slope_correction = 2", "write True or False"]),
        ("[adsnn]\nonset = -1\n", ["[adsnn]", "onset = -1", "must be times of at least 0 in ms, or auto"]),
        ("[adsnn]\nonset = soon\n", ["onset = soon", "times of at least 0 in ms, or auto"]),
        ("[adsnn]\nonset = nan\n", ["onset = nan", "times of at least 0"]),
        ("[adsnn]\nonset = conv_1: -3\n", ["onset = conv_1: -3", "times of at least 0"]),
        ("[adsnn]\nonset = 5, conv_1: 3\n", ["[adsnn] onset is one number for each layer before, or times by layer"]),
        ("[adsnn]\nonset = auto\n", ["[adsnn] onset = auto and readout_tau_phi = auto are chosen together; give both"]),
        ("[adsnn]\nreadout_tau_phi = auto\n", ["[adsnn] onset = auto and readout_tau_phi = auto are chosen togeth"]),
        ("[adsnn]\nreadout_tau_phi = 0\n", ["[adsnn]", "readout_tau_phi = 0", "must be a number above 0, or auto"]),
        ("[adsnn]\nreadout_tau_phi = short\n", ["readout_tau_phi = short", "must be a number above 0, or auto"]),
        ("[adsnn]\ncorrective = 1.5\n", ["[adsnn]", "corrective = 1.5", "greater than or equal to 2"]),
        ("[adsnn]\ncorrective = inf\n", ["corrective = inf", "finite"]),
        ("[adsnn]\ncorrective = True\n", ["corrective = True", "should be a number"]),
        ("[adsnn]\nengine = warp\n", ["engine = warp", "'auto'", "'event'", "'reference'"]),
        ("[adsnn]\nform = relu\n", ["form = relu", "'exact'", "'taylor'"]),
        ("[adsnn]\nmatching_fraction = 1.5\n", ["matching_fraction = 1.5", "less than or equal to 1"]),
        ("[adsnn]\nplots = maybe\n", ["plots = maybe", "write True or False"]),
        ("[adsnn]\ncheck_images = 0\n", ["check_images = 0", "greater than or equal to 1"]),
        ("[training]\narchitecture = iris\n", ["[training]", "needs the key 'dataset'"]),
        ("[training]\ndataset = cifar\narchitecture = iris\n", ["dataset = cifar", "'mnist'"]),
        ("[training]\ndataset = iris\narchitecture = vgg\n", ["architecture = vgg", "'mnist_dense'"]),
        ("[training]\ndataset = iris\narchitecture = iris\nvalidation_split = 1\n", ["validation_split = 1", "less"]),
        (
            "[training]\ndataset = iris\narchitecture = iris\nepochs = 2.5\n",
            ["epochs = 2.5", "should be a whole number"],
        ),
        ("[training]\ndataset = iris\narchitecture = iris\ncoding_noise = -1\n", ["coding_noise = -1"]),
        ("[adsnn]\npretrained = a%b\n", ["[adsnn]", "%%"]),
        ("[sweep]\nm_f = 0.1 0.2\n", ["[sweep]", "0.1 0.2", "commas between values"]),
        ("[sweep]\nm_f = 0.1, 0.2,\n", ["[sweep]", "none behind the last"]),
        ("[sweep]\ntau_eta = 50 # finer\n", ["[sweep]", "comments on lines of their own"]),
        ("[sweep]\nm_f = 0, 0.2\n", ["[sweep]", "m_f = 0 is not allowed"]),
        ("[sweep]\nm_f = 0.2\ntau_eta = 50, 1e-3\n", ["[sweep]", "tau_eta = 0.001"]),
        ("[sweep]\nduration = 0.3\n", ["[sweep]", "duration = 0.3 ms with dt = 1 ms: it is shorter than a time step"]),
        ("[tools]\nconvert = yess\n", ["[tools] convert = yess", "write True or False"]),
        ("[output]\noverwrite = 3\n", ["[output] overwrite = 3", "write True or False"]),
        ("[output]\nlog_vars = spiketrains\n", ["[output] log_vars = spiketrains", "a set of names"]),
        ("[output]\nplot_vars = {'all'\n", ["[output] plot_vars = {'all'", "a set of names"]),
        ("[simulation]\nsample_idxs_to_test = 3-5\n", ["sample_idxs_to_test = 3-5", "a list of numbers"]),
        ("[simulation]\nduration = soon\n", ["[simulation] duration = soon must be a whole number above 0."]),
        ("[simulation]\ndt = inf\n", ["[simulation] dt = inf must be a number above 0."]),
        ("[simulation]\nbatch_size = 0\n", ["[simulation] batch_size = 0 must be a whole number above 0."]),
        ("[simulation]\nnum_to_test = 2.5\n", ["num_to_test = 2.5 must be a whole number above 0."]),
        ("[simulation]\ntop_k = -1\n", ["top_k = -1 must be a whole number above 0."]),
        ("[simulation]\nduration = 5%0\n", ["[simulation]", "%%"]),
        ("[simulation]\nsimulator = adsnn\n[input]\nmodel_lib = caffe\n", ["[input] model_lib = caffe"]),
        ("[simulation]\nsimulator = adsnn\n[cell]\nquantize_weights = True\n", ["quantize_weights = True", "Remove"]),
        ("[parameter_sweep]\nparam_values = [0.1, 'x']\n", ["param_values = [0.1, 'x']", "a list of numbers"]),
        ("[parameter_sweep]\nparam_values = [a]\n", ["param_values = [a]", "a list of numbers"]),
    ],
)
def test_mistakes_are_named(write, text, parts):
    path = write(MINIMAL + text)
    with pytest.raises(ConfigError) as failure:
        load_config(path)
    message = str(failure.value)
    assert len(message.splitlines()) == 1
    for part in [str(path), *parts]:
        assert part in message


def test_every_mistake_has_its_line(write):
    with pytest.raises(ConfigError) as failure:
        load_config(write(MINIMAL + "[adsnn]\nm_f = 0\nseed = -1\n"))
    assert [line.split("] ")[1].split(" =")[0] for line in str(failure.value).splitlines()] == ["m_f", "seed"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no section here\n", r"line 1 \(no section here\) stands before the first section"),
        (b"[paths]\nfilename_ann = a\nfilename_ann = b\n", r"\[paths\] filename_ann is given twice, again in line 3"),
        (b"\xff\xfe\x00\x01", "text in UTF-16"),
        (b"", "needs the key 'filename_ann'"),
        (b"[adsnn]\nm_f = 0.1\n", "needs the key 'filename_ann'"),
    ],
)
def test_broken_files(tmp_path, content, reason):
    path = tmp_path / "c.ini"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as failure:
        load_config(path)
    assert str(path) in str(failure.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_config(tmp_path / "none.ini")
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path)


def test_a_file_that_may_not_be_read(write, monkeypatch):
    path = write(MINIMAL)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # tests may run as root, who may read everything
    with pytest.raises(ConfigError) as failure:
        load_config(path)
    assert str(failure.value) == f"{path}: may not be read; allow it (chmod u+r), or name another file."


def test_missing_training_section(write):
    with pytest.raises(ConfigError, match=r"no section \[training\]"):
        load_config(write(MINIMAL)).need_training()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.ini")), ids=lambda path: path.stem)
def test_shipped_configurations(path):
    config = load_config(path)
    training = config.need_training()
    # paths of the repository only, and a result folder that git ignores
    assert (CONFIGS.parent / "runs") in config.paths.path_wd.parents
    assert (CONFIGS.parent / "runs") in config.paths.dataset_path.parents
    assert config.adsnn.pretrained is not None
    assert config.adsnn.pretrained.stat().st_size < 2_000_000
    assert training.dataset in config.paths.dataset_path.name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20))
def test_any_value_is_accepted_or_refused_by_name(write, value):
    """Whatever stands behind ``m_f =``: positive numbers by layer, none, or a ConfigError that names the file."""
    path = write(f"{MINIMAL}[adsnn]\nm_f = {value}\n")
    try:
        m_f = load_config(path).adsnn.m_f
    except ConfigError as error:
        m_f, message = {}, str(error)
        assert message.startswith(str(path))
    assert all(value > 0 for value in m_f.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[adsnn]\nm_f = 1e-30\n", r"\[adsnn\] m_f = 1e-30 .*more than once in a step of 1 ms.*at least 0.016"),
        ("[adsnn]\nm_f = 0.004\n", "m_f = 0.004 .*at least 0.016"),
        ("[adsnn]\nm_f = 2\n", r"theta0 = 2 \(it follows m_f\): a neuron with S = 1 never spikes.*below 2"),
        ("[adsnn]\nm_f = 0.2, conv_1: 3\n", "theta0 = 3 .*never spikes"),
        ("[adsnn]\ntheta0 = 2.5\n", "theta0 = 2.5: .*never spikes"),
        ("[adsnn]\ntau_gamma = 1e-9\n", "tau_gamma = 1e-09 ms does not fit steps of 1 ms"),
        ("[adsnn]\ntau_beta = 1e30\n", r"tau_beta = 1e\+30 ms .*0.01 to 100000 ms"),
        ("[training]\ndataset = iris\narchitecture = iris\nm_f = 5\n", r"\[training\] theta0 = 5"),
        ("[sweep]\nm_f = 0.001, 0.2\n", r"\[sweep\] m_f = 0.001 .*more than once in a step"),
        ("[arousal]\nm_f_low = 3\n", r"\[arousal\] m_f_low: theta0 = 3 \(it follows m_f\).*below 2"),
        ("[arousal]\nm_f_high = 0.001\n", r"\[arousal\] m_f_high: m_f = 0.001 "),
        ("[simulation]\ndt = 20\n", r"the model's m_f = 0.2 .*more than once in a step of 20 ms"),
    ],
)
def test_constants_that_no_neuron_can_work_with(write, text, words):
    with pytest.raises(ConfigError, match=words):
        check_neurons(load_config(write(MINIMAL + text)), ASNParameters(m_f=0.2))


@pytest.mark.parametrize("text", ["[adsnn]\nm_f = 300\n", "[adsnn]\ntheta0 = 2.5\n", "[sweep]\nm_f = 0.001, 9\n"])
def test_constants_that_graded_spikes_can_have(write, text):
    """Which neurons a model has is not known when its configuration is read; with AAN, the same is refused."""
    config = load_config(write(MINIMAL + text))
    with pytest.raises(ConfigError):
        check_neurons(config, ASNParameters(m_f=0.2))


def test_constants_not_given_are_the_models_own(write):
    text = MINIMAL + "[adsnn]\nm_f = 0.004\n"
    with pytest.raises(ConfigError, match="at least 0.016"):
        check_neurons(load_config(write(text)), ASNParameters())
    check_neurons(load_config(write(text)), ASNParameters(tau_gamma=100.0, tau_eta=300.0))


def test_shorter_steps_allow_higher_precision(write):
    text = MINIMAL + "[simulation]\nsimulator = adsnn\ndt = 0.1\n[adsnn]\nm_f = 0.004\n"
    assert load_config(write(text)).adsnn.m_f == {"": 0.004}
