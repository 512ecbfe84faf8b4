"""A function in LLVM IR as a combinational Verilog module.

The function takes integers by value and one pointer, computes without loops, loads or calls, and stores 64-bit words
behind the pointer; the module has inputs ``in0, in1, ...`` and outputs ``out0, out1, ...`` in that order. Branches
become conditions on blocks, phi nodes become multiplexers. Anything else, undefined values included, is refused:
a proof must not rest on a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from adsnn_hls.rtl.tools import ToolError

_WORD = 8  # bytes
_VALUE = r'(?:%(?:[-\w.$]+|"[^"]*")|-?\d+|true|false)'
_LABEL = r'%(?:[-\w.$]+|"[^"]*")'
_FLAGS = re.compile(r"\b(?:nsw|nuw|exact|disjoint|samesign|nneg|inbounds|tail|noundef)\b ?")
_METADATA = re.compile(r", ![\w.]+ !\d+")
_BINARY = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<", "lshr": ">>"}
_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class IRError(ToolError):
    """LLVM IR that this translator does not know."""


@dataclass
class _Module:
    """What has been translated so far.

    Attributes:
        names, widths: wire and number of bits by LLVM name.
        assigns: wires and their expressions.
        offsets: pointers, as bytes behind the function's pointer.
        outputs: expressions by byte offset.
        edges: by target block, (predecessor, condition).
    """

    names: dict[str, str] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    assigns: list[tuple[str, int, str]] = field(default_factory=list)
    offsets: dict[str, int] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    edges: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def define(self, name: str, width: int, expression: str) -> None:
        self.assigns.append((self.name(name, width), width, expression))

    def name(self, name: str, width: int) -> str:
        """Wire of an LLVM value; it may be used before it is defined."""
        if self.widths.setdefault(name, width) != width:
            raise IRError(f"LLVM IR: {name} has two widths.")
        return self.names.setdefault(name, f"t{len(self.names)}")

    def value(self, text: str, width: int) -> str:
        if text.startswith("%"):
            return self.name(text, width)
        if text in ("true", "false"):
            return f"1'b{int(text == 'true')}"
        return f"{width}'h{int(text) % (1 << width):x}"


def to_verilog(ir: str, function: str, module: str) -> str:
    """Verilog text of module ``module`` for ``function``.

    Raises:
        IRError: the function is missing, or something in it is unknown.
    """
    match = re.search(rf"^define [^\n]*@{function}\(([^\n]*)\{{\n(.*?)^\}}", ir, re.M | re.S)
    if match is None:
        raise IRError(f"LLVM IR: there is no function {function}.")
    state = _Module()
    arguments = re.findall(r"(i\d+|ptr)\b[^,%]*(%[-\w.]+)", match[1])
    inputs = []
    for kind, name in arguments:
        if kind == "ptr":
            state.offsets[name] = 0
        else:
            inputs.append((name, int(kind[1:])))
            state.name(*inputs[-1])
    blocks = _blocks(match[2], len(arguments))
    for label, lines in blocks.items():
        for line in lines:
            _instruction(state, label, line)
    _refuse_loops(state)
    return _module_text(state, module, inputs, blocks)


def _blocks(body: str, arguments: int) -> dict[str, list[str]]:
    """Instructions by label, entry block first: LLVM numbers it after the arguments where it has no label."""
    found: dict[str, list[str]] = {}
    current = f"%{arguments}"
    for raw in body.splitlines():
        line = raw.split(" ; ")[0].strip()
        if label := re.match(r'([-\w.$]+|"[^"]*"):', line):
            current = f"%{label[1]}"
            found[current] = []
        elif line and not line.startswith(";"):
            found.setdefault(current, []).append(line)
    return found


def _instruction(state: _Module, block: str, line: str) -> None:
    text = _FLAGS.sub("", _METADATA.sub("", line))
    if re.search(r"\b(?:undef|poison)\b", text):
        raise IRError(f"LLVM IR: undefined value in `{line}`.")
    if _terminator(state, block, text) or text.startswith("ret void") or "@llvm.lifetime" in text:
        return
    if m := re.fullmatch(rf"store i64 ({_VALUE}), ptr ({_LABEL}), align \d+", text):
        state.outputs[state.offsets[m[2]]] = state.value(m[1], 64)
        return
    if m := re.fullmatch(rf"({_LABEL}) = getelementptr (i8|i64), ptr ({_LABEL}), i64 (\d+)", text):
        state.offsets[m[1]] = state.offsets[m[3]] + int(m[4]) * (_WORD if m[2] == "i64" else 1)
        return
    if m := re.fullmatch(rf"({_LABEL}) = phi i(\d+) (.*)", text):
        _phi(state, block, m[1], int(m[2]), m[3])
        return
    if m := re.fullmatch(rf"({_LABEL}) = (.*)", text):
        width, expression = _expression(state, m[2])
        state.define(m[1], width, expression)
        return
    raise IRError(f"LLVM IR: `{line}` is not known to the translator.")


def _terminator(state: _Module, block: str, text: str) -> bool:
    if m := re.fullmatch(rf"br label ({_LABEL})", text):
        state.edges.setdefault(m[1], []).append((block, "1'b1"))
    elif m := re.fullmatch(rf"br i1 ({_VALUE}), label ({_LABEL}), label ({_LABEL})", text):
        condition = state.value(m[1], 1)
        state.edges.setdefault(m[2], []).append((block, condition))
        state.edges.setdefault(m[3], []).append((block, f"!{condition}"))
    else:
        return False
    return True


def _phi(state: _Module, block: str, name: str, width: int, rest: str) -> None:
    expression = ""
    for value, origin in reversed(re.findall(rf"\[ ({_VALUE}), ({_LABEL}) \]", rest)):
        taken = state.value(value, width)
        # edges into this block come from blocks before it, or are found later: the name of the edge is fixed
        expression = f"{_edge(state, origin, block)} ? {taken} : ({expression})" if expression else taken
    state.define(name, width, expression)


def _edge(state: _Module, origin: str, target: str) -> str:
    return state.name(f"edge {origin} {target}", 1)


def _expression(state: _Module, text: str) -> tuple[int, str]:
    """Width and Verilog of one operation."""
    if m := re.fullmatch(rf"(\w+) i(\d+) ({_VALUE}), ({_VALUE})", text):
        width = int(m[2])
        a, b = state.value(m[3], width), state.value(m[4], width)
        if m[1] in _BINARY:
            return width, f"{a} {_BINARY[m[1]]} {b}"
        if m[1] == "ashr":
            return width, f"$signed({a}) >>> {b}"
    if m := re.fullmatch(rf"icmp (\w+) i(\d+) ({_VALUE}), ({_VALUE})", text):
        return 1, _comparison(m[1], state.value(m[3], int(m[2])), state.value(m[4], int(m[2])))
    if m := re.fullmatch(rf"(zext|sext|trunc) i(\d+) ({_VALUE}) to i(\d+)", text):
        width, value = int(m[4]), state.value(m[3], int(m[2]))
        return width, f"{width}'($signed({value}))" if m[1] == "sext" else f"{width}'({value})"
    if m := re.fullmatch(rf"select i1 ({_VALUE}), i(\d+) ({_VALUE}), i\d+ ({_VALUE})", text):
        width = int(m[2])
        return width, f"{state.value(m[1], 1)} ? {state.value(m[3], width)} : {state.value(m[4], width)}"
    if m := re.fullmatch(rf"freeze i(\d+) ({_VALUE})", text):
        return int(m[1]), state.value(m[2], int(m[1]))
    if m := re.fullmatch(rf"call i(\d+) @llvm\.([su])(max|min)\.i\d+\(i\d+ ({_VALUE}), i\d+ ({_VALUE})\)", text):
        width = int(m[1])
        a, b = state.value(m[4], width), state.value(m[5], width)
        return width, f"{_comparison(m[2] + ('gt' if m[3] == 'max' else 'lt'), a, b)} ? {a} : {b}"
    raise IRError(f"LLVM IR: `{text}` is not known to the translator.")


def _comparison(predicate: str, a: str, b: str) -> str:
    if predicate[0] == "s":
        return f"$signed({a}) {_COMPARE[predicate[1:]]} $signed({b})"
    return f"{a} {_COMPARE[predicate.removeprefix('u')]} {b}"


def _refuse_loops(state: _Module) -> None:
    done: set[str] = set()

    def visit(block: str, path: tuple[str, ...]) -> None:
        if block in path:
            raise IRError("LLVM IR: the function has a loop; only functions that unroll completely can be translated.")
        if block not in done:
            for origin, _ in state.edges.get(block, ()):
                visit(origin, (*path, block))
            done.add(block)

    for block in state.edges:
        visit(block, ())


def _module_text(state: _Module, module: str, inputs: list[tuple[str, int]], blocks: dict[str, list[str]]) -> str:
    entry = next(iter(blocks))
    for block in blocks:
        if block == entry:
            state.define(f"block {block}", 1, "1'b1")
            continue
        taken = []
        for origin, condition in state.edges.get(block, ()):
            reached = state.name(f"block {origin}", 1)
            state.define(f"edge {origin} {block}", 1, f"{reached} && {condition}")
            taken.append(_edge(state, origin, block))
        state.define(f"block {block}", 1, " || ".join(taken) or "1'b0")
    ports = [f"input wire [{width - 1}:0] in{k}" for k, (_, width) in enumerate(inputs)]
    ports += [f"output wire [63:0] out{k}" for k in range(len(state.outputs))]
    lines = [f"module {module} ({', '.join(ports)});"]
    lines += [f"  wire [{width - 1}:0] {wire};" for wire, width, _ in state.assigns]
    lines += [f"  wire [{width - 1}:0] {state.names[name]};" for name, width in inputs]
    lines += [f"  assign {state.names[name]} = in{k};" for k, (name, _) in enumerate(inputs)]
    lines += [f"  assign {wire} = {expression};" for wire, _, expression in state.assigns]
    for k, offset in enumerate(sorted(state.outputs)):
        if offset != k * _WORD:
            raise IRError("LLVM IR: the results are not consecutive 64-bit words.")
        lines.append(f"  assign out{k} = {state.outputs[offset]};")
    return "\n".join([*lines, "endmodule", ""])
