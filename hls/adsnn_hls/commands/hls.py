"""The command ``snntb-adsnn hls``: configuration file -> HLS project, simulated and compared."""

from __future__ import annotations

import dataclasses
import math
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from adsnn_hls.arithmetic import FixedType
from adsnn_hls.cpp.folder import check_replaceable, replaced_folder
from adsnn_hls.cpp.options import Options
from adsnn_hls.cpp.project import Comparison, ToolError, check_compiler, compile_project, run_csim, write_project
from adsnn_hls.cpp.resources import resources
from adsnn_hls.fixed import FixedNetwork, simulate
from adsnn_hls.quantize import PixelFormat, Recipe, Widths
from adsnn_hls.quantize.synapses import chain
from snntb_adsnn.config import Config, load_config
from snntb_adsnn.config.hls import HlsSection
from snntb_adsnn.engine.switch import need_classes
from snntb_adsnn.errors import ConfigError, ParameterError
from snntb_adsnn.files import check_writable, optional_picture, write_json
from snntb_adsnn.network import SpikingNetwork
from snntb_adsnn.network.maps import Array
from snntb_adsnn.neuron.constants import STATES
from snntb_adsnn.run import Run
from snntb_adsnn.run import load as load_run

TOOLS: Mapping[str, str] = {"vitis": "vitis-run", "vivado": "vivado_hls"}
_BATCH = 250


@dataclass(frozen=True)
class Data:
    """Test inputs and classes, and inputs for calibration."""

    x_test: Array
    labels: Array
    x_norm: Array


def run(
    config_file: Config | Path,
    output: Path,
    *,
    backend: str | None = None,
    csim: int = 5,
    json_file: Path | None = None,
    build: bool = False,
    search: bool = False,
) -> dict[str, Any]:
    """Write, compile and simulate the HLS project of a configuration file.

    Args:
        config_file: the configuration, or its file; its section ``[hls]`` says how.
        output: folder of the project; one that we wrote before is replaced, as a whole.
        backend: instead of the configuration's.
        csim: images to run through the compiled C++.
        json_file: where to write the figures as JSON.
        build: run the vendor's synthesis.
        search: look for the smallest widths first.

    Returns:
        the figures.

    Raises:
        AdSNNError: a mistake of the user; nothing is written then.
    """
    config = load_config(config_file)
    check_section(config)
    options = make_options(config.hls, backend)
    check_output(output)
    check_compiler()
    if csim < 1:
        raise ParameterError(f"--csim {csim} is not allowed: compare at least one image.")
    if search:
        config.need_training("--search has no labelled validation data, which are taken from the training set")
    network, data = load(config, csim, "--csim")
    names = [*network.population_names, network.readout.name]
    options = dataclasses.replace(options, reuse_factor=_reuse(config.hls, names))
    widths = make_widths(config.hls, names)
    pixels = PixelFormat.of(data.x_norm, config.hls.pixel_bits)
    recipe = Recipe(pixels=pixels, multiplier_free=config.hls.multiplier_free)
    recipe = recipe.completed(network, data.x_norm[: config.hls.calibration_images], options.steps)
    found = _search(config, network, widths, recipe) if search else None
    fixed = recipe.fixed(network, found.widths if found else widths)
    report: dict[str, Any] = {
        "config": str(config.file),
        "output": str(output.expanduser().absolute()),
        **{key: getattr(options, key) for key in ("backend", "part", "clock_ns", "io_type", "steps")},
        "widths": width_table(fixed),
        "resources": resources(fixed, options),
    }
    _print_network(fixed, report)
    report |= _accuracies(config.hls, network, fixed, data, csim)
    print(
        f"Accuracy on {report['accuracy_images']} test images after {options.steps} steps: "
        f"{report['golden_accuracy']:.2%} in fixed point, {report['float_accuracy']:.2%} in floating point."
    )
    images = fixed.pixels(data.x_test[:csim])
    with replaced_folder(output) as folder:
        print("Writing and compiling the C++ project ...")
        model = write_project(folder, fixed, options, images, output.expanduser().absolute())
        warnings = compile_project(folder)
        comparison, _ = run_csim(folder, fixed, images, options.steps, warnings)
        if found is not None:
            with optional_picture("precision.png"):
                from adsnn_hls.quantize.search import plot

                plot(found, folder / "precision.png")
        report |= _compared(comparison)
        write_json(folder / "report.json", report)
    _print_comparison(report, comparison, output)
    if found is not None:
        report["search"] = {"accuracy": found.accuracy, "memory_bits": found.memory_bits, "trials": len(found.trials)}
    if build:
        report["synthesis"] = synthesize(model, options.backend, output)
    if json_file is not None:
        write_json(json_file, report)
    return report


def main(**arguments: Any) -> None:
    """``run``, for the command line: exit code 1 where the C++ and the golden model differ.

    Raises:
        ToolError: the synthesis that was asked for was not done. Project and figures are written.
    """
    report = run(**arguments)
    if report["mismatches"]:
        sys.exit(1)
    if not report.get("synthesis", {"done": True})["done"]:
        raise ToolError(report["synthesis"]["message"])


# ---- settings ------------------------------------------------------------------------------------------------------


def check_section(config: Config) -> None:
    """Check ``[hls]`` as far as that is possible without the network.

    Raises:
        ConfigError: a value is not allowed.
    """
    section = config.hls
    with in_section(config):
        make_options(section, "vitis" if section.backend == "rtl" else None)
        for signal in Widths.SIGNALS:
            for value in getattr(section, signal).values():
                bits: Any = _type_of(signal, value) if isinstance(value, str) else value
                Widths(**{signal: bits})


def _type_of(key: str, text: str) -> FixedType:
    try:
        return FixedType.parse(text)
    except ParameterError as error:
        raise ParameterError(f"{key} = {text} is not allowed: {error}") from None


@contextmanager
def in_section(config: Config) -> Iterator[None]:
    """Put file and section before what the body's errors say about a value of ``[hls]``."""
    try:
        yield
    except ParameterError as error:
        text = str(error)
        raise ConfigError(f"{config.file}: {text if text.startswith('[') else f'[hls] {text}'}") from None


def check_output(output: Path) -> None:
    """Refuse a folder of the project that cannot be written, before any work.

    Raises:
        OutputError: it cannot.
    """
    folder = output.expanduser().absolute()
    check_replaceable(folder)
    check_writable(folder / "report.json")


def make_options(section: HlsSection, backend: str | None = None) -> Options:
    """``[hls]`` as options of the hardware; reuse factors come later, when the layers' names are known."""
    return Options(
        backend=backend or section.backend,
        part=section.part,
        clock_ns=section.clock_ns,
        io_type=section.io_type,
        steps=section.steps,
        strategy=section.strategy,
    )


def _reuse(section: HlsSection, names: list[str]) -> dict[str, int]:
    chosen = _spread("reuse_factor", section.reuse_factor, names, "auto")
    return {name: 0 if value == "auto" else int(value) for name, value in chosen.items()}


def make_widths(section: HlsSection, names: list[str]) -> dict[str, Widths]:
    """Word lengths by layer.

    Raises:
        ConfigError: a key names an unknown layer.
        ParameterError: a width out of range.
    """
    by_signal = {
        signal: _spread(signal, getattr(section, signal), names, getattr(Widths, signal)) for signal in Widths.SIGNALS
    }
    widths = {}
    for name in names:
        values = {signal: chosen[name] for signal, chosen in by_signal.items()}
        if isinstance(values["weights"], str):
            values["weights"] = FixedType.parse(values["weights"])
        widths[name] = Widths(**values, rounding=section.rounding)
    return widths


def _spread(key: str, values: Mapping[str, Any], names: list[str], default: Any) -> dict[str, Any]:
    """The value of each layer."""
    if unknown := set(values) - {"", *names}:
        raise ConfigError(
            f"[hls] {key} names the unknown layers {', '.join(sorted(unknown))}; this network has {', '.join(names)}."
        )
    return {name: values.get(name, values.get("", default)) for name in names}


# ---- what goes in --------------------------------------------------------------------------------------------------


def load(config: Config, images: int = 1, option: str = "--images") -> tuple[SpikingNetwork, Data]:
    """The network as it is simulated, and the data.

    Raises:
        ParameterError: ``option`` asks for more test ``images`` than there are, or for none.
    """
    run = load_run(config, model=True)
    run.need_files(x_norm=True)
    if not 1 <= images <= (there := len(run.x_test)):
        raise ParameterError(f"{option} {images} is not allowed: there are {there} test images; choose 1 to {there}.")
    need_classes(run.trained, "hardware")
    data = Data(run.x_test, run.labels, run.x_norm)  # first: a mistake in them shows at once
    chain(run.configured)  # what is no chain of AAN is refused before anything is corrected
    return run.simulated, data


def _search(config: Config, network: SpikingNetwork, widths: Mapping[str, Widths], recipe: Recipe) -> Any:
    from adsnn_hls.quantize.search import search

    start = set(map(repr, widths.values()))
    if len(start) > 1:
        raise ConfigError("--search starts from one width for all layers; remove the layers' own values from [hls].")
    x, labels = Run(config).held_out(config.hls.accuracy_images, only=True)
    _need_visible(config, len(x))
    result = search(
        network,
        x,
        labels,
        loss=config.hls.max_loss / 100,
        steps=config.hls.steps,
        start=next(iter(widths.values())),
        recipe=recipe,
        memory=config.paths.path_wd / "precision_search.json",
        progress=lambda tried, accuracy: print(f"  {accuracy:.2%} with {_brief(tried)}"),
    )
    print_table(result.table())
    print(
        f"Search: {result.accuracy:.2%} (floating point {result.float_accuracy:.2%}); weights and states take "
        f"{result.memory_bits[1]} bits instead of {result.memory_bits[0]}."
    )
    return result


def _need_visible(config: Config, there: int) -> None:
    """Refuse a loss that is less than one of the images, where the data set has no more of them.

    Raises:
        ConfigError: says which loss can be seen.
    """
    percent, wanted = config.hls.max_loss, config.hls.accuracy_images
    if there < wanted and percent * there < 100:
        raise ConfigError(
            f"{config.file}: [hls] max_loss = {percent:g} percentage points is less than one image of the {there} that "
            f"the data set holds out for validation; give {math.ceil(1e4 / there) / 100:g} or more."
        )


def _brief(widths: Mapping[str, Widths]) -> str:
    """Bits of each layer, in the order weights/I/V/S_hat/theta_a/factors."""
    return ", ".join(
        f"{name} " + "/".join(str(getattr(w, signal)) for signal in Widths.SIGNALS) for name, w in widths.items()
    )


def _accuracies(
    section: HlsSection, network: SpikingNetwork, fixed: FixedNetwork, data: Data, at_least: int
) -> dict[str, Any]:
    """Accuracy after the last step, in fixed and in floating point, on the same test images."""
    from snntb_adsnn.engine import simulate as simulate_float

    count = min(max(section.accuracy_images, at_least), len(data.x_test))
    right = {"golden": 0, "float": 0}
    rates = []
    for start in range(0, count, _BATCH):
        part = slice(start, min(start + _BATCH, count))
        golden = simulate(fixed, fixed.pixels(data.x_test[part]), section.steps)
        floating = simulate_float(network, data.x_test[part], duration=section.steps * network.dt)
        right["golden"] += int((golden.decisions[:, -1] == data.labels[part]).sum())
        right["float"] += int((floating.decisions[:, -1] == data.labels[part]).sum())
        rates.append((golden.firing_rate_hz, len(golden.outputs)))
    return {
        "accuracy_images": count,
        "golden_accuracy": right["golden"] / count,
        "float_accuracy": right["float"] / count,
        "firing_rate_hz": float(np.average([rate for rate, _ in rates], weights=[n for _, n in rates])),
    }


# ---- what comes out ------------------------------------------------------------------------------------------------


def width_table(network: FixedNetwork) -> dict[str, dict[str, str]]:
    """Types of all signals by layer."""
    return {s.name: {signal: str(kind) for signal, kind in s.signal_types.items()} for s in network.stages}


def _print_network(fixed: FixedNetwork, report: Mapping[str, Any]) -> None:
    columns = ("weights", *(state.name for state in STATES), "coefficient")
    rows = [["layer", *columns, "multipliers", "adders", "memory bits"]]
    for name, types in report["widths"].items():
        counts = report["resources"]["layers"][name]
        bits = [str(FixedType.parse(types[c]).width) if c in types else "-" for c in columns]
        memory = counts["weight_bits"] + counts["state_bits"]
        rows.append([name, *bits, str(counts["multipliers"]), str(counts["adders"]), str(memory)])
    total = report["resources"]["total"]
    memory = total["weight_bits"] + total["state_bits"]
    rows.append(["all", *["" for _ in columns], str(total["multipliers"]), str(total["adders"]), str(memory)])
    print_table(rows)
    print(f"({report['resources']['note']}; {total['neuron_updates_per_step']} neuron updates a step)")


def print_table(rows: list[list[str]]) -> None:
    """Print rows of text under a header."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _compared(comparison: Comparison) -> dict[str, Any]:
    return {
        "images": comparison.images,
        "compared": comparison.compared,
        "mismatches": comparison.mismatches,
        "warnings": list(comparison.warnings),
    }


def _print_comparison(report: Mapping[str, Any], comparison: Comparison, output: Path) -> None:
    if comparison.mismatches:
        print(comparison.log)
    print(
        f"C simulation of {report['images']} images x {report['steps']} steps: {report['compared']} spikes, state "
        f"words and outputs compared with the golden model, {report['mismatches']} mismatches. Project: {output}"
    )


def synthesize(model: Any, backend: str, output: Path) -> dict[str, Any]:
    """Run the vendor's synthesis if it is there; returns its report, or why there is none."""
    tool = TOOLS[backend]
    if shutil.which(tool) is None:
        message = (
            f"There is no {tool} on PATH, so nothing was synthesised: install AMD {backend.capitalize()} "
            f"{'(2023.2 or newer)' if backend == 'vitis' else 'HLS (up to 2020.1)'} and run --build again; project, "
            f"testbench and C simulation in {output} are complete without it."
        )
        return {"done": False, "message": message}
    try:
        found = model.build(csim=True, synth=True, cosim=False)
    except Exception as error:  # hls4ml raises bare Exception
        _stop(output, tool, error)
    if not found or "CSynthesisReport" not in found:
        _stop(output, tool, "it left no report")
    print_table([["synthesis", tool], *([key, str(value)] for key, value in found["CSynthesisReport"].items())])
    return {"done": True, **found}


def _stop(output: Path, tool: str, reason: object) -> NoReturn:
    raise ToolError(f"{tool} failed in {output} ({reason}); its messages are above and in its log there.")
