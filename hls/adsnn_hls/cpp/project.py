"""A complete HLS project on disk, with its testbench and test vectors, and its C simulation."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from adsnn_hls.arithmetic import Words
from adsnn_hls.cpp.folder import MARK
from adsnn_hls.cpp.model import model_graph
from adsnn_hls.cpp.options import Options
from adsnn_hls.cpp.programs import run_program
from adsnn_hls.cpp.register import HEADERS, SOURCES
from adsnn_hls.fixed import RECORDABLE, FixedNetwork, GoldenResult, simulate
from snntb_adsnn.errors import AdSNNError
from snntb_adsnn.files import need_space

VECTOR_BYTES = 16_000_000
"""The test vectors in a project are at most so large; fewer images, then fewer steps are kept."""
_MAGIC = 0x314E53414453


class ToolError(AdSNNError):
    """A compiler or a vendor's tool is missing, or stopped."""


@dataclass(frozen=True)
class Comparison:
    """Result of a C simulation.

    Attributes:
        images, steps: what was simulated.
        compared: words that were compared: spikes, state words and outputs.
        mismatches: those that differ.
        warnings: lines of the compiler's warnings about our own files.
        log: what the testbench printed.
    """

    images: int
    steps: int
    compared: int
    mismatches: int
    warnings: tuple[str, ...]
    log: str

    @property
    def passed(self) -> bool:
        """Whether all words agree."""
        return self.mismatches == 0 and self.compared > 0


def write_project(
    folder: Path, network: FixedNetwork, options: Options, images: Words, final: Path | None = None
) -> Any:
    """Write all files of a project into the existing ``folder``.

    Args:
        folder: where.
        network: the network.
        options: what the hardware is made for.
        images: input words of the test vectors, shape (images, *input shape).
        final: where the folder will be moved to.

    Returns:
        hls4ml's ModelGraph.
    """
    final = final or folder
    model = model_graph(network, options, str(folder))
    model.write()
    # hls4ml's record of its settings holds the path
    record = folder / "hls4ml_config.yml"
    record.write_text(record.read_text().replace(str(folder), str(final)))
    (folder / f"{options.project}_test.cpp").write_text(testbench(network, options, model))
    script = folder / "csim.sh"
    script.write_text((SOURCES / "csim.sh").read_text().replace("@PROJECT@", options.project))
    script.chmod(0o755)
    network.save(folder / "network.npz")
    words = len(images[:1].ravel()) + options.steps * step_words(network)
    count = min(len(images), max(1, VECTOR_BYTES // (8 * words)))
    steps = min(options.steps, max(1, VECTOR_BYTES // (8 * step_words(network))))
    with (folder / "tb_data" / "golden.bin").open("wb") as file:
        write_vectors(file, network, images[:count], steps)
    about: dict[str, Any] = {
        "project": options.project,
        "backend": options.backend,
        "part": options.part,
        "io_type": options.io_type,
    }
    about |= {"steps": options.steps, "vector_images": count, "vector_steps": steps}
    (folder / MARK).write_text(json.dumps(about, indent=2) + "\n")
    model.config.config["OutputDir"] = str(final)
    return model


# ---- test vectors --------------------------------------------------------------------------------------------------


def _sizes(network: FixedNetwork) -> list[list[int]]:
    """Words of a step: by stage, those of ``RECORDABLE``."""
    sizes = []
    for stage in network.stages:
        shapes = stage.state_shapes
        states = [int(np.prod(shapes[q])) if q in shapes else 0 for q in RECORDABLE[1:]]
        sizes.append([stage.updates, *states])
    return sizes


def step_words(network: FixedNetwork) -> int:
    """Number of words that are compared in a step of an image."""
    return int(np.sum(_sizes(network))) + network.readout.classes


def write_vectors(file: IO[bytes], network: FixedNetwork, images: Words, steps: int) -> list[GoldenResult]:
    """Write what ``testbench.cpp`` reads, image by image (memory does not grow with their number).

    Returns:
        the golden model's results, without records.
    """
    results = []
    file.write(struct.pack("<5q", _MAGIC, len(images), steps, images[0].size, step_words(network)))
    for image in images:
        result = simulate(network, image[None], steps, record=RECORDABLE)
        parts = [
            result.records[stage.name][quantity].reshape(steps, -1)
            for stage in network.stages
            for quantity in RECORDABLE
            if quantity in result.records[stage.name]
        ]
        file.write(np.ascontiguousarray(image, "<i8").tobytes())
        file.write(np.concatenate([*parts, result.outputs[0]], axis=1).astype("<i8").tobytes())
        results.append(result)
    return results


def testbench(network: FixedNetwork, options: Options, model: Any) -> str:
    """C++ of the testbench."""
    (pixels, *_), (outputs,) = model.get_input_variables(), model.get_output_variables()
    streaming = options.io_type == "io_stream"
    sizes = _sizes(network)
    values = {
        "PROJECT": options.project,
        "SWITCHES": "",
        "INPUTS": int(np.prod(network.input_shape)),
        "OUTPUTS": network.readout.classes,
        "STEPS": options.steps,
        "STEP_WORDS": step_words(network),
        "STAGES": len(network.stages),
        "STAGE_NAMES": ", ".join(json.dumps(stage.name) for stage in network.stages),
        "SIZES": ", ".join("{" + ", ".join(map(str, row)) + "}" for row in sizes),
        "RUN": _RUN_STREAM if streaming else _RUN_PARALLEL,
        "INPUT_T": "input_word_t",
        "OUTPUT_T": "output_word_t",
    }
    values["SWITCHES"] = (
        f"typedef {network.analog.pixel.cpp} input_word_t;\ntypedef {network.readout.output_type.cpp} output_word_t;\n"
        f"typedef {pixels.type.name} pixels_t;\ntypedef {outputs.type.name} outputs_t;"
    )
    text = (SOURCES / "testbench.cpp").read_text()
    for _ in range(2):  # the text of RUN holds names too
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
    return text


_RUN_STREAM = """// One call is one image: the pixels in, the outputs of all steps out.
void run(const std::vector<word_t> &words) {
    hls::stream<pixels_t> pixels("pixels");
    hls::stream<outputs_t> outputs("outputs");
    for (unsigned i = 0; i < INPUTS; i += pixels_t::size) {
        pixels_t packet;
        for (unsigned c = 0; c < pixels_t::size; c++)
            packet[c] = input_word(words[i + c]);
        pixels.write(packet);
    }
    @PROJECT@(pixels, outputs);
    for (unsigned t = 0; t < STEPS; t++) {
        const outputs_t packet = outputs.read();
        for (unsigned i = 0; i < OUTPUTS; i++)
            check_output(t, i, packet[i]);
    }
}"""

_RUN_PARALLEL = """// One call is one step; reset marks the first of an image.
void run(const std::vector<word_t> &words) {
    pixels_t pixels[INPUTS];
    input2_t reset[1];
    outputs_t outputs[OUTPUTS];
    for (unsigned i = 0; i < INPUTS; i++)
        pixels[i] = input_word(words[i]);
    for (step = 0; step < steps; step++) {
        reset[0] = step == 0;
        @PROJECT@(pixels, reset, outputs);
        for (unsigned i = 0; i < OUTPUTS; i++)
            check_output(step, i, outputs[i]);
        for (unsigned i = 0; i < INPUTS; i++)
            pixels[i] = 0; // they are held inside
    }
    step = 0;
}"""


# ---- C simulation --------------------------------------------------------------------------------------------------


def check_compiler() -> str:
    """The C++ compiler: $CXX, or g++.

    Raises:
        ToolError: there is none.
    """
    compiler = os.environ.get("CXX", "g++")
    if not compiler.split() or shutil.which(compiler.split()[0]) is None:
        raise ToolError(
            f"there is no C++ compiler {compiler!r} to run the generated C++ with; install g++ (Debian, Ubuntu: apt "
            "install g++), or set CXX to one."
        )
    return compiler


def compile_project(folder: Path, optimization: int = 2) -> tuple[str, ...]:
    """Compile a project's C++ and its testbench.

    Returns:
        the compiler's warnings about our own files.

    Raises:
        ToolError: no compiler, or an error of it.
    """
    environment = {**os.environ, "CXX": check_compiler(), "OPT": str(optimization)}
    done = run_program(["sh", "csim.sh", "--compile-only"], folder, environment)
    if done.returncode:
        need_space("the C++ compiler", folder, done.stdout + done.stderr)
        errors = [line for line in done.stderr.splitlines() if "error" in line][:3] or done.stderr.splitlines()[:3]
        raise ToolError(f"{folder}: the C++ compiler stopped: {' '.join(errors)}; please report it.")
    log = (folder / "csim_warnings.log").read_text()
    (folder / "csim_warnings.log").unlink()  # mostly ap_types' own
    ours = "|".join(map(re.escape, [*HEADERS, "_test.cpp"]))
    return tuple(line for line in log.splitlines() if re.search(rf"({ours}):\d+:.*warning:", line))


def run_csim(
    folder: Path, network: FixedNetwork, images: Words, steps: int, warnings: Iterable[str] = ()
) -> tuple[Comparison, list[GoldenResult]]:
    """Run images through a compiled project; the vectors go through a pipe, one image at a time.

    Returns:
        the comparison, and the golden model's results by image.

    Raises:
        ToolError: the testbench did not come to its end.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([folder / "csim", "-"], cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=log)
        assert process.stdin is not None
        try:
            results = write_vectors(process.stdin, network, images, steps)
            process.stdin.close()
        except BrokenPipeError:
            results = []
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        log.seek(0)
        text = log.read()
    found = re.search(r"^(?:PASSED|FAILED): images (\d+), compared (\d+), mismatches (\d+)$", text, re.M)
    if found is None:
        need_space("the C simulation", folder, text)
        raise ToolError(f"{folder}: the C simulation stopped with code {code}: {text.strip()[-500:]}")
    return Comparison(len(images), steps, int(found[2]), int(found[3]), tuple(warnings), text), results
