"""Configuration files: SNN Toolbox's ``.ini`` with sections ``[adsnn]``, ``[training]``, ``[hls]``, ``[sweep]``,
``[arousal]``, checked on load.

The file is read by the toolbox's rules (Python's ``configparser``, keys case-sensitive, comments on lines of their
own). Relative paths count from the folder of the file, so a configuration works from any working directory.
"""

from __future__ import annotations

import configparser
import difflib
import importlib.util
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from snntb_adsnn.config_base import Count as _Count
from snntb_adsnn.config_base import Positive as _Positive
from snntb_adsnn.config_base import Section as _Section
from snntb_adsnn.config_base import Seed as _Seed
from snntb_adsnn.config_studies import ArousalSection, SweepSection
from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.neuron import ASNParameters
from snntb_adsnn.transfer import SMALLEST_SMOOTH, Form, check_constants

DatasetName = Literal["iris", "sonar", "digits", "mnist", "cifar10", "cifar100", "image_folder"]
ArchitectureName = Literal[
    "iris", "sonar", "digits", "mnist", "mnist_dense", "vgg_cifar", "resnet_cifar", "resnet9", "resnet18"
]
DATASETS: tuple[str, ...] = get_args(DatasetName)
ARCHITECTURES: tuple[str, ...] = get_args(ArchitectureName)


class PathsSection(_Section):
    """The keys of the toolbox's ``[paths]`` that this package reads; paths are absolute here.

    Attributes:
        path_wd: working folder: the model lies here, results are written here (default: the file's folder).
        dataset_path: folder of ``x_test.npz``, ``y_test.npz`` and ``x_norm.npz`` (default: ``path_wd``).
        filename_ann: file name of the Keras model without ``.h5``.
    """

    path_wd: Path
    dataset_path: Path
    filename_ann: str

    @property
    def model_file(self) -> Path:
        """The Keras model."""
        return self.path_wd / f"{self.filename_ann}.h5"


def _by_layer(value: Any) -> Any:
    """``8, dense_1: 6`` as ``{"": 8, "dense_1": 6}``."""
    if isinstance(value, int | float):
        return {"": value}
    if not isinstance(value, str):
        return value
    parts = [part.strip() for part in re.split(r",(?![^<]*>)", value)]
    pairs = [part.rpartition(":") for part in parts]
    if len({name.strip() for name, _, _ in pairs}) != len(pairs):
        raise ValueError("write one value for all layers, then 'layer: value' for others, such as 8, dense_1: 6")
    return {name.strip(): number.strip() for name, _, number in pairs}


_PositiveByLayer = Annotated[dict[str, _Positive], BeforeValidator(_by_layer)]


class AdsnnSection(_Section):
    """``[adsnn]``: how the spiking network is made and simulated.

    Attributes:
        engine: simulator, see ``snntb_adsnn.engine``.
        m_f: precision in place of the trained one: by layer, "" for those not named; written ``0.4, conv_1: 0.8``.
        theta0, tau_gamma, tau_eta, tau_beta, tau_phi: replace what the model was trained with (tau in ms).
        form: transfer function the spike height follows; without it, the model's own.
        readout_tau_phi: smoothing time constant of the read-out, ms.
        matching_fraction: matching time is when this fraction of the highest accuracy is first reached.
        seed: of whatever is drawn at random.
        plots: whether a run draws its figures.
        check_images: number of real inputs on which the conversion is checked.
        bias_correction: number of training inputs (of ``x_norm.npz``) from which biases are corrected for the spikes'
            effect on mean potentials, see ``snntb_adsnn.correction``; 0 is off.
        pretrained: model file that is copied to the working folder when no model is there yet.
    """

    engine: Literal["auto", "event", "reference", "tensorflow"] = "auto"
    m_f: _PositiveByLayer = {}
    theta0: _Positive | None = None
    tau_gamma: _Positive | None = None
    tau_eta: _Positive | None = None
    tau_beta: _Positive | None = None
    tau_phi: _Positive | None = None
    form: Form | None = None
    readout_tau_phi: _Positive = 50.0
    matching_fraction: Annotated[float, Field(gt=0, le=1)] = 0.99
    seed: _Seed = 0
    plots: bool = True
    check_images: _Count = 100
    bias_correction: Annotated[int, Field(ge=0)] = 0
    pretrained: Path | None = None

    @property
    def overrides(self) -> dict[str, float]:
        """The neuron constants given here but for m_f, by their names in ``ASNParameters``."""
        return _constants(self)


class TrainingSection(_Section):
    """``[training]``: what ``snntb-adsnn train`` does.

    Attributes:
        dataset: name of the data set, see ``snntb_adsnn.data``.
        folder: of the data set ``image_folder``: holds ``train/CLASS/IMAGE`` and ``test/CLASS/IMAGE`` (or ``val/``).
        image_size: pixels; an ``image_folder``'s images are resized and cropped to this square.
        test_images: of an ``image_folder``, how many test images a run simulates, at most (drawn once).
        architecture: name of the net, see ``snntb_adsnn.models``.
        m_f, form: of the AAN activations. Train at the precision that is simulated.
        theta0, tau_gamma, tau_eta, tau_beta, tau_phi: other constants of the neurons, if not the paper's (tau in ms);
            hardware without multipliers needs decays that are sums of powers of two.
        epochs, batch_size: as usual.
        optimizer: ``adam`` (gradients clipped), ``adamw`` (with ``weight_decay``) or ``sgd`` (Nesterov momentum 0.9).
        learning_rate: the highest learning rate.
        schedule: ``cosine`` falls to 0 along a half cosine; ``one_cycle`` rises during the first fifth of the steps and
            falls to 0 on straight lines.
        weight_decay: decoupled from the gradient, on weights other than biases and batch norms; 0 is off.
        label_smoothing: share of a label that is spread over all classes.
        validation_split: share of the training data that early stopping watches.
        patience: epochs without a lower validation loss before training stops.
        seed: of the initial weights, the split, the order, noise and augmentation.
        coding_noise: Gaussian noise on active units during training, in units of the spike coding's own
            noise h/sqrt(12) (a sawtooth of height h); 0 is off.
        activity_penalty: weight of the mean AAN output in the loss; lowers the firing rate; 0 is off.
        augmentation: shift, turn and zoom the images a little (image data only).
        flip: mirror half of the images, drawn anew in every epoch (image data only).
        shift: largest random shift in pixels, along both axes (image data only); the border is mirrored outwards.
        cutout: side in pixels of a square that is set to 0 in every image, anywhere (image data only); 0 is off.
        initial: model file of the same architecture whose weights training starts from; without it they are drawn.
        precision: of convolutions and weighted sums in training; sums over batches, activations and the trained model
            stay float32. ``mixed_bfloat16`` is faster on processors and accelerators that have it.
        smooth: train with a smooth form of the activation, see ``training_model.SmoothAAN``; deep nets need it.
        recalibration: training inputs on which batch norms are measured again after training, see
            ``train.recalibrate``; nets trained with coding noise gain by it; 0 is off.
        weights: floating-point type that the trained weights of convolutions and dense layers are rounded to, so that
            the model file is smaller: ``bfloat16`` (8 significant bits, a third of the size; what
            ``precision = mixed_bfloat16`` computes with anyway), ``float16`` (11 bits, half the size).
    """

    dataset: DatasetName
    folder: Path | None = None
    image_size: Annotated[int, Field(ge=8)] = 224
    test_images: _Count = 1000
    architecture: ArchitectureName
    m_f: _Positive = 0.1
    form: Form = "exact"
    theta0: _Positive | None = None
    tau_gamma: _Positive | None = None
    tau_eta: _Positive | None = None
    tau_beta: _Positive | None = None
    tau_phi: _Positive | None = None
    epochs: _Count = 100
    batch_size: _Count = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: _Positive = 0.001
    schedule: Literal["cosine", "one_cycle"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    validation_split: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: _Count = 20
    seed: _Seed = 0
    coding_noise: Annotated[float, Field(ge=0)] = 0.0
    activity_penalty: Annotated[float, Field(ge=0)] = 0.0
    augmentation: bool = False
    flip: bool = False
    shift: Annotated[int, Field(ge=0)] = 0
    cutout: Annotated[int, Field(ge=0)] = 0
    initial: Path | None = None
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    smooth: bool = False
    recalibration: Annotated[int, Field(ge=0)] = 0
    weights: Literal["float32", "float16", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _fits(self) -> TrainingSection:
        if (self.dataset == "image_folder") != (self.folder is not None):
            raise ValueError("folder and dataset = image_folder belong together: give both or neither")
        if self.weight_decay and self.optimizer == "adam":
            raise ValueError("weight_decay needs optimizer = adamw or sgd")
        if self.smooth and self.form != "exact":
            raise ValueError("smooth = True needs form = exact: the other form is smooth already")
        if self.smooth and self.m_f < SMALLEST_SMOOTH:
            raise ValueError(
                f"smooth = True needs m_f of {SMALLEST_SMOOTH:g} or more: finer neurons saturate too early"
            )
        return self

    @property
    def constants(self) -> dict[str, float]:
        """The neuron constants given here, by their names in ``ASNParameters``."""
        return {"m_f": self.m_f, **_constants(self)}


def _constants(section: AdsnnSection | TrainingSection) -> dict[str, float]:
    names = ("theta0", "tau_gamma", "tau_eta", "tau_beta", "tau_phi")
    return {name: value for name in names if (value := getattr(section, name)) is not None}


_Bits = Annotated[dict[str, _Count], BeforeValidator(_by_layer)]
_BitsOrType = Annotated[dict[str, _Count | Annotated[str, Field(pattern="fixed<.*>")]], BeforeValidator(_by_layer)]
_CountOrAuto = Annotated[dict[str, _Count | Literal["auto"]], BeforeValidator(_by_layer)]


class HlsSection(_Section):
    """``[hls]``: what ``snntb-adsnn hls`` does. A key with one value for each layer is written ``8, dense_1: 6``.

    Attributes:
        backend, part, clock_ns, io_type: of hls4ml; see ``adsnn_hls.hls4ml_plugin.Options``.
        steps: time steps of an image.
        strategy: of the weighted sums.
        reuse_factor: by layer, cycles that adders and neurons are shared over.
        weights: by layer, bits of the weights, or a type such as ``fixed<8,1>``.
        current, potential, refractory, adaptation, coefficient: by layer, bits of I, V, S_hat, theta_a and the factors.
        rounding: of I and V.
        multiplier_free: neurons of shifts and additions; the net must have been trained for their constants.
        pixel_bits: bits of an input word.
        calibration_images: images of ``x_norm.npz`` on which value ranges are measured.
        accuracy_images: test images on which accuracies are measured, at most.
        max_loss: accuracy in percentage points that the precision search may lose against the float network.
        cycles: clocks of a step that the RTL's parallelism is chosen for, where ``lanes`` and ``units`` are not given.
        lanes, units: by layer, weights and neurons per clock of the RTL.
        margin: distance of the two largest outputs at which the RTL decides an image early; 0: never.
    """

    backend: Literal["vitis", "vivado", "rtl"] = "vitis"
    part: str = "xcvu13p-flga2577-2-e"
    clock_ns: _Positive = 5.0
    io_type: Literal["io_stream", "io_parallel"] = "io_stream"
    steps: _Count = 150
    strategy: Literal["auto", "latency", "resource"] = "auto"
    reuse_factor: _CountOrAuto = {"": "auto"}
    weights: _BitsOrType = {"": 8}
    current: _Bits = {"": 18}
    potential: _Bits = {"": 18}
    refractory: _Bits = {"": 18}
    adaptation: _Bits = {"": 18}
    coefficient: _Bits = {"": 12}
    rounding: Literal["TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV"] = "TRN_ZERO"
    multiplier_free: bool = False
    pixel_bits: Annotated[int, Field(ge=1, le=16)] = 8
    calibration_images: _Count = 200
    accuracy_images: _Count = 1000
    max_loss: Annotated[float, Field(gt=0, lt=100)] = 0.1
    cycles: _Count = 256
    lanes: _CountOrAuto = {"": "auto"}
    units: _CountOrAuto = {"": "auto"}
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class Config(_Section):
    """A configuration file after checking.

    Attributes:
        file: the file itself.
        paths, adsnn, training, hls, sweep, arousal: its sections; ``training`` is ``None`` where the file has none.
    """

    file: Path
    paths: PathsSection
    adsnn: AdsnnSection = AdsnnSection()
    training: TrainingSection | None = None
    hls: HlsSection = HlsSection()
    sweep: SweepSection = SweepSection()
    arousal: ArousalSection = ArousalSection()

    def need_training(self) -> TrainingSection:
        """The section ``[training]``.

        Raises:
            ConfigError: the file has none.
        """
        if self.training is None:
            raise ConfigError(
                f"{self.file}: there is no section [training], so there is nothing to train; add it with at least "
                "dataset and architecture."
            )
        return self.training


_OURS: dict[str, type[_Section]] = {
    "adsnn": AdsnnSection,
    "training": TrainingSection,
    "hls": HlsSection,
    "sweep": SweepSection,
    "arousal": ArousalSection,
}


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file is missing or unreadable, or has an unknown section or key, or a value out of range;
            one line for each mistake, naming file, section, key, value and what is allowed.
    """
    path = Path(path).expanduser().absolute()
    parser = read_ini(path)
    mistakes = [m for section in parser.sections() for m in _unknown_names(section, list(parser[section]))]
    if mistakes:
        raise ConfigError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    values = {name: _values(path, parser, name) for name in ("paths", *_OURS)}
    paths = _checked(path, "paths", PathsSection, _resolve_paths(path, values["paths"]))
    if (pretrained := values["adsnn"].get("pretrained")) is not None:
        values["adsnn"]["pretrained"] = str(_resolve(path, pretrained))
    for key in ("folder", "initial"):
        if (value := values["training"].get(key)) is not None:
            values["training"][key] = str(_resolve(path, value))
    adsnn = _checked(path, "adsnn", AdsnnSection, values["adsnn"])
    _check_neurons(path, "adsnn", adsnn.m_f.values(), adsnn.overrides, parser)
    training = None
    if parser.has_section("training"):
        training = _checked(path, "training", TrainingSection, values["training"])
        _check_neurons(path, "training", [training.m_f], _constants(training))
    return Config(
        file=path,
        paths=paths,
        adsnn=adsnn,
        training=training,
        **{name: _checked(path, name, _OURS[name], values[name]) for name in ("hls", "sweep", "arousal")},
    )


def adsnn_section(parser: configparser.ConfigParser, changes: Mapping[str, str] | None = None) -> AdsnnSection:
    """``[adsnn]`` of settings that SNN Toolbox has merged, with ``changes`` put over it.

    Raises:
        ConfigError: an unknown key, or a value out of range.
    """
    source = Path("settings of this run")
    values = {**_values(source, parser, "adsnn"), **(changes or {})}
    if mistakes := _unknown_names("adsnn", list(values)):
        raise ConfigError("\n".join(mistakes))
    section: AdsnnSection = _checked(source, "adsnn", AdsnnSection, values)
    _check_neurons(source, "adsnn", section.m_f.values(), section.overrides, parser)
    return section


def _check_neurons(
    path: Path,
    section: str,
    precisions: Collection[float],
    constants: Mapping[str, float],
    parser: configparser.ConfigParser | None = None,
) -> None:
    """Refuse constants that no neuron can work with, before anything slow begins; those not given are the paper's here,
    the model's own when a run begins (``toolbox.settings.configured``). ``parser``: has the time step."""
    text = parser.get("simulation", "dt", fallback="") if parser is not None else ""
    try:
        dt = float(text or 1)
    except ValueError:
        dt = 1.0  # named by the toolbox's part
    try:
        for m_f in precisions:
            check_constants(ASNParameters(m_f=m_f, dt=dt, **constants))
        if constants and not precisions:
            check_constants(ASNParameters(**{"m_f": _USUAL_M_F, "dt": dt, **constants}))
    except ParameterError as error:
        raise ConfigError(f"{path}: [{section}] {error}") from None


_USUAL_M_F = 0.2


def read_ini(path: Path) -> configparser.ConfigParser:
    """Parse ``path`` by the toolbox's rules, without its defaults.

    Raises:
        ConfigError: missing file, or not an ``.ini`` file.
    """
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such configuration file; check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a text file ({error}).") from None
    except configparser.Error as error:
        raise ConfigError(f"{path}: not a valid .ini file: {' '.join(str(error).split())}") from None
    return parser


def _values(path: Path, parser: configparser.ConfigParser, section: str) -> dict[str, Any]:
    """The section's keys that have a value; an empty value means the default, as in the toolbox's own file."""
    try:
        return {key: value for key, value in parser[section].items() if value} if section in parser else {}
    except configparser.InterpolationError as error:
        raise ConfigError(f"{path}: [{section}] {' '.join(str(error).split())}; write a literal % as %%.") from None


def _resolve(config_file: Path, value: str) -> Path:
    return (config_file.parent / Path(value).expanduser()).resolve()


def _resolve_paths(config_file: Path, values: dict[str, Any]) -> dict[str, Any]:
    folder = _resolve(config_file, values.get("path_wd", "."))
    data = values.get("dataset_path")
    resolved: dict[str, Any] = {
        "path_wd": folder,
        "dataset_path": folder if data is None else _resolve(config_file, data),
    }
    if "filename_ann" in values:
        resolved["filename_ann"] = values["filename_ann"]
    return resolved


@lru_cache(maxsize=1)
def _toolbox_keys() -> dict[str, list[str]]:
    """Sections and keys that SNN Toolbox knows, from its file of defaults (the package itself is not imported)."""
    spec = importlib.util.find_spec("snntoolbox")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("SNN Toolbox is not installed; install it with: pip install snntoolbox==0.6.0")
    parser = read_ini(Path(spec.submodule_search_locations[0]) / "config_defaults")
    return {section: list(parser[section]) for section in parser.sections()}


def _unknown_names(section: str, keys: Iterable[str]) -> list[str]:
    """One sentence for each name in ``section`` that nobody would read."""
    toolbox = _toolbox_keys()
    if section in _OURS:
        known = list(_OURS[section].model_fields)
    elif section in toolbox:
        known = toolbox[section]
    else:
        sections = [*_OURS, *toolbox]
        return [f"section [{section}] is unknown{_guess(section, sections)}; allowed are {', '.join(sections)}."]
    return [
        f"[{section}] has the unknown key {key!r}{_guess(key, known)}; allowed are {', '.join(known)}."
        for key in keys
        if key not in known
    ]


def _guess(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _checked(path: Path, section: str, kind: type[Any], values: dict[str, Any]) -> Any:
    try:
        return kind(**values)
    except ValidationError as failure:
        lines = []
        for error in failure.errors():
            key = ".".join(filter(None, map(str, error["loc"])))
            message = error["msg"].replace("Input should be", "it should be")
            if error["type"] == "missing":
                lines.append(f"{path}: [{section}] needs the key {key!r}; add a line: {key} = ...")
            elif not key:  # keys that do not fit each other
                lines.append(f"{path}: [{section}] {message.removeprefix('Value error, ')}.")
            else:
                lines.append(f"{path}: [{section}] {key} = {error['input']} is not allowed: {message}.")
        raise ConfigError("\n".join(lines)) from None
