"""C++ neuron = RTL neuron: ``nnet_asn.h`` through LLVM IR, beside ``asn_filter`` and ``asn_fire``."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from adsnn_hls.arithmetic import FixedType
from adsnn_hls.arithmetic.powers import signed_digits
from adsnn_hls.commands.rtl import prepare
from adsnn_hls.cores import core_sources
from adsnn_hls.cores.instance import ROUNDING_CODES
from adsnn_hls.rtl.generate import generate
from adsnn_hls.rtl.tools import ToolError
from adsnn_hls.stages import FixedNeurons

from snntb_adsnn.neuron.constants import STATES
from verification.formal.llvm import to_verilog
from verification.formal.tools import Outcome, find_clang, hls4ml_headers, never_one, solve

RTL = Path(__file__).parent / "rtl"
_FACTORS = tuple(name.upper() for name in FixedNeurons.FACTORS)

Parameters = Mapping[str, int]
"""Parameters of a neuron as the cores name them; ``HELD``: that of the first stage, whose current stays."""

CONFIGS = Path(__file__).parents[2] / "configs"

PARTS = ("current", "filter", "fire")
"""The functions of the neuron; one after another they are one step."""


def cxx_source(p: Parameters, part: str) -> str:
    """C++ that calls one function of the neuron in ``nnet_asn.h`` on raw words."""
    theta_bits = p["THETA0"].bit_length()
    types = {
        **{f"{state.word}_t": _state(p, state.letter, signed=state.signed) for state in STATES},
        "bias_t": FixedType(p["B_W"], p["B_W"] - p["V_F"]),
        "coefficient_t": FixedType(p["C_W"], p["C_W"] - p["C_F"], signed=False),
        "theta0_t": FixedType(theta_bits, theta_bits - p["A_F"], signed=False),
        "drive_t": FixedType(p["D_W"], p["D_W"] - p["D_F"]),
    }
    body = [f"typedef {kind.cpp} {name};" for name, kind in types.items()]
    body += [f"static const unsigned long {name.lower()} = {p[name]}UL;" for name in (*_FACTORS, "THETA0")]
    few = all(len(signed_digits(p[name])) <= 3 for name in _FACTORS)
    body += [f"static const unsigned coefficient_fraction = {p['C_F']};"]
    body += [f"static const bool shift_add = {str(few).lower()};"]
    if p["CORRECTIVE"]:
        body += [f"static const unsigned long corrective = {p['CORRECTIVE']};", "typedef ap_int<2> spike_t;"]
    return (
        '#include "nnet_asn.h"\nstruct config : nnet::asn_config {\n'
        + "\n".join(body)
        + "\n};\n"
        + _WRAPPER.replace("CALL", _CALLS[part])
    )


_CALLS = {
    "current": "I = nnet::asn_receive<config::drive_t, config>(I, word<config::drive_t>(drive));",
    "filter": "V = nnet::asn_filter<config>(V, I);",
    "fire": "spike = nnet::asn_fire<config>(V, word<config::bias_t>(bias), S_hat, theta_a, waits != 0);",
}
_WRAPPER = """
template <class T> T word(long long x) {
    T result;
    result.V = x;
    return result;
}
extern "C" void neuron(long long i, long long v, long long h, long long a, long long drive, long long bias,
                       long long waits, long long *out) {
    config::current_t I = word<config::current_t>(i);
    config::potential_t V = word<config::potential_t>(v);
    config::refractory_t S_hat = word<config::refractory_t>(h);
    config::adaptation_t theta_a = word<config::adaptation_t>(a);
    config::spike_t spike = 0;
    CALL
    out[0] = (long long)I.V;
    out[1] = (long long)V.V;
    out[2] = (long long)S_hat.V;
    out[3] = (long long)theta_a.V;
    out[4] = (int)spike;
}
"""


def _state(p: Parameters, letter: str, *, signed: bool) -> FixedType:
    width = p[f"{letter}_W"]
    overflow = "SAT" if p[f"{letter}_SATURATE"] else "WRAP"
    return FixedType(width, width - p[f"{letter}_F"], signed, ROUNDING_CODES[p[f"{letter}_ROUNDING"]], overflow)


def cxx_to_verilog(source: str, folder: Path, header: str | None = None) -> str:
    """Module ``neuron_cxx`` from C++; ``header`` replaces ``nnet_asn.h``.

    Raises:
        ToolError: clang is missing or refuses the source, or the IR cannot be translated.
    """
    clang = find_clang()
    folder.mkdir(parents=True, exist_ok=True)
    templates = resources.files("adsnn_hls.cpp") / "sources"
    (folder / "nnet_asn.h").write_text((templates / "nnet_asn.h").read_text() if header is None else header)
    (folder / "nnet_asn_probe.h").write_text((templates / "nnet_asn_probe.h").read_text())
    (folder / "neuron.cpp").write_text(source)
    ap_types, nnet_utils = hls4ml_headers()
    emit = [clang, "-std=c++14", "-O3", "-S", "-emit-llvm", "-fno-exceptions", "-w"]
    include = ["-I.", "-isystem", str(ap_types), "-isystem", str(nnet_utils)]
    _clang([*emit, "-Xclang", "-disable-llvm-passes", *include, "neuron.cpp", "-o", "raw.ll"], folder)
    # ap_types reads and writes its words through volatile references, for no hardware: they are local variables
    raw = (folder / "raw.ll").read_text()
    (folder / "plain.ll").write_text(re.sub(r"\b(load|store) volatile\b", r"\1", raw))
    inline = ["-fno-vectorize", "-fno-slp-vectorize", "-mllvm", "-inline-threshold=1000000"]
    _clang([*emit, *inline, "plain.ll", "-o", "neuron.ll"], folder)
    return to_verilog((folder / "neuron.ll").read_text(), "neuron", "neuron_cxx")


def _clang(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"clang failed on the C++ neuron in {folder}:\n{done.stderr[:2000]}")


def prove_neuron(
    p: Parameters, folder: Path, *, cores: Mapping[str, str] | None = None, header: str | None = None
) -> Outcome:
    """Whether both neurons give the same words for all inputs; ``cores`` and ``header`` replace the sources.

    The parts are proved one by one until one fails.
    """
    seconds = 0.0
    for part in PARTS[p["HELD"] :]:  # a held current is not computed by the neuron
        outcome = _prove_part(p, part, folder / part, core_sources() if cores is None else cores, header)
        seconds += outcome.seconds
        if not outcome.proved:
            return Outcome(False, outcome.failed, seconds)
    return Outcome(True, (), seconds)


def _prove_part(p: Parameters, part: str, folder: Path, cores: Mapping[str, str], header: str | None) -> Outcome:
    values = dict(p) | {"PART": PARTS.index(part)}
    if part == "filter":
        values |= {"D_W": p["I_W"], "D_F": p["I_F"]}
    miter = re.sub(
        r"^(  parameter (?:bit|int) (\w+) *=) [^,\n]*",
        lambda m: f"{m[1]} {values[m[2]]}",
        _spelled_out((RTL / "neuron_miter.sv").read_text()),
        flags=re.M,
    )
    cxx = cxx_to_verilog(cxx_source(p, part), folder, header)
    files = {**cores, "neuron_miter.sv": miter, "neuron_cxx.sv": cxx}
    techmap = (RTL / "no_registers.v").read_text()
    # a word-level solver knows the laws of multiplication; sums of shifted words are easier bit by bit
    if p["MULTIPLIER"]:
        return solve(folder, "neuron_miter", files, 1, techmap=techmap)
    return never_one(folder, "neuron_miter", files, techmap=techmap)


def _spelled_out(miter: str) -> str:
    """The miter with the macros that declare a neuron's parameters spelled out, for their values are those to prove."""
    types = [f"{state.letter}_{part}" for state in STATES for part in ("W", "F", "ROUNDING", "SATURATE")]
    names = [*types, "D_W", "D_F", "C_W", "C_F", *_FACTORS, "THETA0", "CORRECTIVE"]
    declared = ",\n".join(f"  parameter int {name} = 0" for name in names)
    text, count = re.subn(r"(?:  `ASN_\w+_PARAMETERS,?\n)+", f"{declared}\n", miter)
    assert count == 1
    return text


@cache
def shipped_neurons(name: str) -> dict[str, Parameters]:
    """Neurons of what ``snntb-adsnn hls configs/NAME.ini`` writes, by stage.

    Raises:
        AdSNNError: the configuration's data set is not there and cannot be downloaded.
    """
    prepared = prepare(CONFIGS / f"{name}.ini")
    return project_neurons(generate(prepared.network, prepared.lanes, **prepared.settings)["asn_parameters.sv"])


def project_neurons(text: str) -> dict[str, Parameters]:
    """Neurons of the spiking stages in the text of a project's ``asn_parameters.sv``."""
    found: dict[str, Parameters] = {}
    for name, core, block in re.findall(r"// (\w+): (\w+)\n((?:  localparam .*\n)*)", text):
        p = {key: int(value) for key, value in re.findall(r"localparam int S\d+_(\w+) = (-?\d+);", block)}
        if core == "asn_analog_stage":
            p |= {"HELD": 1, "K_BETA": 0, "D_W": p["I_W"], "D_F": p["I_F"]}
        elif core != "asn_synaptic_stage":
            continue
        found[name] = {"HELD": 0} | p
    return found
