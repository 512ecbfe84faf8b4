"""Top levels for the simulator: several devices under test in one build, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping

from adsnn_hls.cores import Instance

from snntb_adsnn.neuron.constants import STATES
from verification.cases import TYPES, Case, Types, neurons

NEURON_LATENCY = 12
DRIVE_WIDTH = 12
DRIVE_FRACTION = 7


def stage_instances(cases: Mapping[str, Case]) -> dict[str, Instance]:
    """Each case as an instance of its core."""
    return {name: case.stage.instance(name, case.lanes, case.multiplier) for name, case in cases.items()}


def stages_top(cases: Mapping[str, Case]) -> tuple[str, dict[str, str]]:
    """Module ``stages``, and its memory files: every stage with streams of its own."""
    ports, body, files = ["input wire clk", "input wire rst_n", "input wire [15:0] steps"], [], {}
    ports += ["input wire stop", "input wire [7:0] stop_image", "input wire [31:0] margin"]
    for name, dut in stage_instances(cases).items():
        files |= dut.files
        first, last = (cases[name].stage.place == place for place in ("first", "last"))
        width = int(dut.parameters["PIXEL_W"]) if first else dut.input_bits
        out = 32 if last else dut.output_bits
        s = {"tdata": f"[{width - 1}:0] ", "tvalid": ""} | ({} if first else {"tlast": "", "tuser": ""})
        m = {"tdata": f"[{out - 1}:0] ", "tvalid": "", "tlast": ""} | ({} if last else {"tuser": ""})
        ports += [f"input wire {w}{name}_s_{p}" for p, w in s.items()] + [f"output wire {name}_s_tready"]
        ports += [f"output wire {w}{name}_m_{p}" for p, w in m.items()] + [f"input wire {name}_m_tready"]
        wires = [f".{side}_axis_{p}({name}_{side}_{p})" for side, ps in (("s", s), ("m", m)) for p in (*ps, "tready")]
        if first:
            wires += [".steps", ".stop", ".stop_image"]
        if last:
            wires += [".margin", ".stop()", ".stop_image()"]
        values = ", ".join(f'.{k}("{v}")' if isinstance(v, str) else f".{k}({v})" for k, v in dut.parameters.items())
        body.append(f"  {dut.module} #({values}) {name} (.clk, .rst_n, {', '.join(wires)});")
    return f"module stages ({', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n", files


def neuron_fields(types: Types) -> tuple[list[int], list[int]]:
    """Widths of what goes in (I, V, S_hat, theta_a, drive) and comes out (I, V, S_hat, theta_a, spike: -1, 0 or 1)."""
    states = [getattr(types, state.word).width for state in STATES]
    return [*states, DRIVE_WIDTH], [*states, 2]


def neurons_top() -> str:
    """Module ``neurons``: for each of ``TYPES``, one neuron with multipliers and one with shifts, without memories."""
    ports, body = ["input wire clk"], []
    for name, types in TYPES.items():
        n = neurons((1,), types)
        ins, outs = (sum(fields) for fields in neuron_fields(types))
        p = instance_parameters(types)
        for variant, multiplier in (("mul", 1), ("add", 0)):
            port = f"{name}_{variant}"
            ports += [f"input wire [{ins - 1}:0] {port}_in", f"output wire [{outs - 1}:0] {port}_out"]
            values = ", ".join(f".{k}({v})" for k, v in {**p, "MULTIPLIER": multiplier, "BIAS": int(n.bias[0])}.items())
            body.append(f"  neuron_case #({values}) {port} (.clk, .in_word({port}_in), .out_word({port}_out));")
    return f"module neurons ({', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n"


def instance_parameters(types: Types) -> dict[str, int]:
    """Parameters of ``neuron_case`` for some types."""
    found = {k: int(v) for k, v in neurons((1,), types).parameters("case").items()}
    return found | {"D_W": DRIVE_WIDTH, "D_F": DRIVE_FRACTION}


def covered_pixels(case: Case) -> int:
    """Pixels before pooling that some window reads."""
    n = case.stage.neurons  # type: ignore[attr-defined]
    if n.pool is None:
        return math.prod(n.input_shape[:-1]) if len(n.input_shape) == 3 else 1
    rows, columns = (
        min(size, count * step - pad[0])
        for size, count, step, pad in zip(n.input_shape, n.shape, n.pool.strides, n.pool.padding, strict=False)
    )
    return rows * columns
