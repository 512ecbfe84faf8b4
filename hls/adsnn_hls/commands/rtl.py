"""The commands ``snntb-adsnn hls --backend rtl`` and ``snntb-adsnn cosim``."""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adsnn_hls.commands.hls import Data, check_output, check_section, in_section, load, make_widths, print_table
from adsnn_hls.cores import Lanes
from adsnn_hls.cpp.folder import MARK, replaced_folder
from adsnn_hls.fixed import FixedNetwork
from adsnn_hls.quantize import PixelFormat, calibrate, quantize
from adsnn_hls.rtl.cosim import Cosimulation, Simulation, cosimulate
from adsnn_hls.rtl.fpga import Figures, estimate_xc7, place_ecp5
from adsnn_hls.rtl.generate import check_steps
from adsnn_hls.rtl.lanes import check_lanes, choose_lanes
from adsnn_hls.rtl.tools import find_verilator
from snntb_adsnn.config import Config, load_config
from snntb_adsnn.config.hls import HlsSection
from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.files import write_json


@dataclass(frozen=True)
class Published:
    """A published MNIST accelerator; ``None`` where its source does not say."""

    name: str
    source: str
    lut: int | None
    bram: float | None
    microseconds: float
    accuracy: float | None


PUBLISHED = (
    Published("Spiker+", "arXiv 2401.01141", 7612, 18, 780, 0.9385),
    Published("snn-fpga", "arXiv 2507.07284", 6358, 40.5, 520, None),
    Published("Windhager", "arXiv 2505.11252", None, None, 290, 0.99),
    Published("Flexi-NeurA", "arXiv 2602.18140", 1623, 7, 1100, 0.9723),
)


@dataclass(frozen=True)
class Prepared:
    """A configuration's network, ready for RTL; ``margin`` in words of the outputs."""

    config: Config
    network: FixedNetwork
    lanes: Mapping[str, Lanes]
    margin: int
    data: Data

    @property
    def multiplier_free(self) -> bool:
        """Whether neurons are built of shifts and additions."""
        return self.config.hls.multiplier_free

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of ``generate``."""
        section = self.config.hls
        return {
            "steps": section.steps,
            "margin": self.margin,
            "clock_ns": section.clock_ns,
            "multiplier_free": section.multiplier_free,
        }


def prepare(config_file: Config | Path, images: int = 1, option: str = "--images") -> Prepared:
    """Load, quantise and choose the parallelism.

    Args:
        config_file: the configuration, or its file.
        images: test images that ``option`` asks for.

    Raises:
        AdSNNError: a mistake in the configuration.
    """
    config = load_config(config_file)
    check_section(config)
    with in_section(config):
        check_steps(config.hls.steps)  # before a long calibration
    network, data = load(config, images, option)
    names = [*network.population_names, network.readout.name]
    widths = make_widths(config.hls, names)
    pixels = PixelFormat.of(data.x_norm, config.hls.pixel_bits)
    ranges = calibrate(network, data.x_norm[: config.hls.calibration_images], config.hls.steps, pixels)
    fixed = quantize(network, ranges, widths, pixels=pixels, multiplier_free=config.hls.multiplier_free)
    return Prepared(config, fixed, make_lanes(config.hls, fixed), make_margin(config.hls, fixed), data)


def make_margin(section: HlsSection, network: FixedNetwork) -> int:
    """``[hls]`` key ``margin`` in words of the outputs.

    Raises:
        ParameterError: a margin that is less than one word, but not 0, or too large for the register.
    """
    step = 2.0**-network.readout.potential.fraction
    words = round(section.margin / step)
    if (section.margin and not words) or words >= 1 << 31:
        raise ParameterError(
            f"[hls] margin = {section.margin:g} is not between one word of the outputs, {step:g}, and 2^31 of them; "
            "give 0 for no early decisions."
        )
    return words


def make_lanes(section: HlsSection, network: FixedNetwork) -> dict[str, Lanes]:
    """``[hls]`` keys ``cycles``, ``lanes`` and ``units`` as the parallelism of each layer.

    Raises:
        ConfigError: a key names an unknown layer.
        ParameterError: lanes or units that do not divide.
    """
    chosen = choose_lanes(network, section.cycles)
    for key, values in (("lanes", section.lanes), ("units", section.units)):
        if unknown := set(values) - {"", *chosen}:
            raise ConfigError(
                f"[hls] {key} names the unknown layers {', '.join(sorted(unknown))}; known: {', '.join(chosen)}."
            )
        for name in chosen:
            value = values.get(name, values.get("", "auto"))
            if value != "auto":
                chosen[name] = dataclasses.replace(chosen[name], **{key: int(value)})
    first = network.analog.name
    chosen[first] = dataclasses.replace(chosen[first], lanes=chosen[first].units)
    check_lanes(network, chosen)
    return chosen


def cosim(
    config_file: Config | Path, *, images: int = 20, waves: bool = False, json_file: Path | None = None
) -> dict[str, Any]:
    """Co-simulate test images of a configuration; see the command's help.

    Returns:
        the figures, as in the JSON file.
    """
    find_verilator()
    prepared = prepare(config_file, images)
    if waves:
        folder = prepared.config.paths.path_wd / "cosim"
        folder.mkdir(parents=True, exist_ok=True)
        report = _cosimulate(prepared, folder, images, waves)
        print(f"Waves: {folder / 'waves.fst'}")
    else:
        with tempfile.TemporaryDirectory(prefix="adsnn-cosim-") as temporary:
            report = _cosimulate(prepared, Path(temporary), images, waves)
    _print_cosim(report)
    if json_file is not None:
        write_json(json_file, report)
    return report


def hls(
    config_file: Config | Path, output: Path, *, csim: int = 5, report: bool = False, json_file: Path | None = None
) -> dict[str, Any]:
    """Write the RTL project of a configuration, co-simulate it, and with ``report`` place it on an FPGA.

    Returns:
        the figures, as in ``report.json``.
    """
    from adsnn_hls.rtl.backend import rtl_model

    check_output(output)
    find_verilator()
    prepared = prepare(config_file, csim, "--csim")
    with replaced_folder(output) as folder:
        rtl_model(prepared.network, folder, prepared.lanes, **prepared.settings).write()
        prepared.network.save(folder / "network.npz")
        (folder / MARK).write_text(json.dumps({"backend": "rtl", **prepared.settings}, indent=2) + "\n")
        with tempfile.TemporaryDirectory(prefix="adsnn-cosim-") as temporary:
            figures = _cosimulate(prepared, Path(temporary), csim, False)
        figures["output"] = str(output.expanduser().absolute())
        _print_cosim(figures)
        if report:
            figures["fpga"] = _fpga(folder, figures, 1000 / prepared.config.hls.clock_ns)
        write_json(folder / "report.json", figures)
    print(f"Project: {output}")
    if json_file is not None:
        write_json(json_file, figures)
    return figures


def main(command: str, **arguments: Any) -> None:
    """``cosim`` or ``hls`` for the command line: exit code 1 where RTL and golden model differ."""
    report = cosim(**arguments) if command == "cosim" else hls(**arguments)
    if report["mismatches"]:
        sys.exit(1)


# ---- parts ---------------------------------------------------------------------------------------------------------


def _cosimulate(prepared: Prepared, folder: Path, images: int, waves: bool) -> dict[str, Any]:
    data = prepared.data
    simulation = Simulation(
        prepared.network, folder, prepared.lanes, multiplier_free=prepared.multiplier_free, waves=waves
    )
    pixels = prepared.network.pixels(data.x_test[:images])
    found: Cosimulation = cosimulate(
        simulation, pixels, prepared.config.hls.steps, data.labels[:images], margin=prepared.margin
    )
    return {"config": str(prepared.config.file), **found.as_dict()}


def _print_cosim(report: Mapping[str, Any]) -> None:
    print(
        f"RTL simulation of {report['images']} images, {report['steps_per_image']:.1f} steps each: "
        f"{report['compared']} spikes and decisions compared with the golden model, {report['mismatches']} mismatches; "
        f"accuracy {report['accuracy']:.2%}; {report['cycles_per_step']:.1f} clocks a step, "
        f"{report['cycles_per_image']:.0f} an image."
    )


def _fpga(folder: Path, figures: Mapping[str, Any], clock_mhz: float) -> dict[str, Any]:
    """Place, print the table, return the figures."""
    placed, estimate = place_ecp5(folder, clock_mhz=clock_mhz), estimate_xc7(folder)
    assert placed.fmax_mhz is not None
    microseconds = figures["cycles_per_image"] / placed.fmax_mhz
    latency = figures["latency"] / placed.fmax_mhz
    print(
        f"{placed.device}: {placed.fmax_mhz:.1f} MHz (placement {placed.seed}); {microseconds:.1f} us an image "
        f"({1e6 / microseconds:.0f} images/s), {latency:.1f} us from the first image's first pixel to its decision."
    )
    head = ["design", "LUT", "FF", "DSP", "BRAM", "us/image", "accuracy", "source"]
    rows = [head, _row("this network", placed, microseconds), _row("this network", estimate, None)]
    for p in PUBLISHED:
        accuracy = "-" if p.accuracy is None else f"{p.accuracy:.2%}"
        rows.append(
            [p.name, str(p.lut or "-"), "-", "-", str(p.bram or "-"), f"{p.microseconds:g}", accuracy, p.source]
        )
    print_table(rows)
    print("(The accuracy of this network: run `snntb-adsnn cosim` on all test images.)")
    return {
        "placed": dataclasses.asdict(placed),
        "estimate": dataclasses.asdict(estimate),
        "microseconds_per_image": microseconds,
        "latency_microseconds": latency,
        "images_per_second": 1e6 / microseconds,
    }


def _row(name: str, f: Figures, microseconds: float | None) -> list[str]:
    used = [str(f.used[key]) for key in ("LUT", "FF", "DSP", "BRAM")]
    time = "-" if microseconds is None else f"{microseconds:.0f}"
    return [name, *used, time, "-", f.device]
