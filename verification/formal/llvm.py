"""A function in LLVM IR as a combinational Verilog module; llvmlite reads the IR.

The function takes integers by value and one pointer, computes without loops, loads or calls, and stores 64-bit words
behind the pointer; the module has inputs ``in0, in1, ...`` and outputs ``out0, out1, ...`` in that order. Branches
become conditions on blocks, phi nodes become multiplexers. Anything else, undefined values included, is refused:
a proof must not rest on a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from adsnn_hls.rtl.tools import ToolError

_WORD = 8  # bytes
_BINARY = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<", "lshr": ">>"}
_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_EXTREME = {"max": "gt", "min": "lt"}


class IRError(ToolError):
    """LLVM IR that this translator does not know."""


def to_verilog(ir: str, function: str, module: str) -> str:
    """Verilog text of module ``module`` for ``function``.

    Raises:
        IRError: the function is missing, or something in it is unknown.
    """
    found = _parse(ir, function)
    state = _Module()
    inputs = []
    for argument in found.arguments:
        if argument.type.is_pointer:
            state.offsets[argument.name] = 0
        else:
            inputs.append((argument.name, _width(argument)))
            state.wire(*inputs[-1])
    blocks = list(found.blocks)
    for block in blocks:
        for instruction in block.instructions:
            _translate(state, block.name, instruction)
    _refuse_loops(state)
    _reach_blocks(state, [block.name for block in blocks])
    return _module_text(state, module, inputs)


def _parse(ir: str, function: str) -> Any:
    """The function, with a name for everything in it."""
    try:
        import llvmlite.binding as llvm
    except ImportError:
        raise ToolError(
            "llvmlite is missing, which reads LLVM IR for the proofs; install it: pip install -e '.[formal]'."
        ) from None
    try:
        module = llvm.parse_assembly(ir)
        module.verify()
        found = module.get_function(function)
    except (RuntimeError, NameError) as error:
        raise IRError(
            f"LLVM IR: function {function} cannot be read ({error}); llvmlite must be as new as clang: LLVM "
            f"{'.'.join(map(str, llvm.llvm_version_info))}."
        ) from None
    instructions = (i for block in found.blocks for i in block.instructions if i.type.type_kind.name != "void")
    for kind, values in (("a", found.arguments), ("b", found.blocks), ("v", instructions)):
        for number, value in enumerate(values):
            value.name = f"{kind}{number}"
    return found


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
        self.assigns.append((self.wire(name, width), width, expression))

    def wire(self, name: str, width: int) -> str:
        """Wire of an LLVM value; it may be used before it is defined."""
        assert self.widths.setdefault(name, width) == width
        return self.names.setdefault(name, f"t{len(self.names)}")

    def edge(self, origin: str, target: str) -> str:
        """Wire that says whether a block is left for another one."""
        return self.wire(f"edge {origin} {target}", 1)

    def value(self, operand: Any) -> str:
        """An integer operand."""
        width, kind = _width(operand), operand.value_kind.name
        if kind in ("argument", "instruction"):
            return self.wire(operand.name, width)
        if kind != "constant_int":
            raise _unknown(operand)
        text = str(operand).split()[-1]
        number = int({"true": "1", "false": "0"}.get(text, text))
        return f"{width}'h{number % (1 << width):x}"

    def offset(self, pointer: Any) -> int:
        """Bytes from the function's pointer to where ``pointer`` leads."""
        if pointer.name not in self.offsets:
            raise _unknown(pointer)
        return self.offsets[pointer.name]


def _unknown(value: Any) -> IRError:
    return IRError(f"LLVM IR: `{str(value).strip()}` is not known to the translator.")


def _width(value: Any) -> int:
    """Bits of an integer."""
    if value.type.type_kind.name != "integer":
        raise _unknown(value)
    return int(value.type.type_width)


def _translate(state: _Module, block: str, instruction: Any) -> None:
    operands, text = list(instruction.operands), str(instruction).strip()
    match instruction.opcode:
        case "ret" if not operands:
            pass
        case "br":
            _branch(state, block, operands)
        case "store" if text.startswith("store i64 "):
            state.outputs[state.offset(operands[1])] = state.value(operands[0])
        case "getelementptr":
            state.offsets[instruction.name] = _element(state, instruction, operands, text)
        case "call" if operands[-1].name.startswith("llvm.lifetime."):
            pass
        case "phi":
            state.define(instruction.name, _width(instruction), _choice(state, block, instruction))
        case _:
            state.define(instruction.name, _width(instruction), _expression(state, instruction, operands, text))


def _branch(state: _Module, block: str, operands: list[Any]) -> None:
    if len(operands) == 1:
        state.edges.setdefault(operands[0].name, []).append((block, "1'b1"))
        return
    condition, otherwise, target = operands
    taken = state.value(condition)
    state.edges.setdefault(target.name, []).append((block, taken))
    state.edges.setdefault(otherwise.name, []).append((block, f"!{taken}"))


def _element(state: _Module, instruction: Any, operands: list[Any], text: str) -> int:
    """Offset of an element of an array of bytes or words."""
    kind = re.search(r"\b(i8|i64), ptr ", text)
    if kind is None or len(operands) != 2 or operands[1].value_kind.name != "constant_int":
        raise _unknown(instruction)
    return state.offset(operands[0]) + int(str(operands[1]).split()[-1]) * (_WORD if kind[1] == "i64" else 1)


def _choice(state: _Module, block: str, phi: Any) -> str:
    expression = ""
    for operand, origin in reversed(list(zip(phi.operands, phi.incoming_blocks, strict=True))):
        taken = state.value(operand)
        expression = f"{state.edge(origin.name, block)} ? {taken} : ({expression})" if expression else taken
    return expression


def _expression(state: _Module, instruction: Any, operands: list[Any], text: str) -> str:
    """Verilog of one operation."""
    opcode, width = instruction.opcode, _width(instruction)
    if opcode == "call":
        return _extreme(state, instruction, operands)
    if opcode not in (*_BINARY, "ashr", "icmp", "zext", "sext", "trunc", "select", "freeze"):
        raise _unknown(instruction)
    values = [state.value(operand) for operand in operands]
    match opcode:
        case "ashr":
            return f"$signed({values[0]}) >>> {values[1]}"
        case "icmp":
            predicate = re.search(r"icmp (?:samesign )?(\w+) ", text)
            assert predicate is not None
            return _comparison(predicate[1], *values)
        case "sext":
            return f"{width}'($signed({values[0]}))"
        case "zext" | "trunc":
            return f"{width}'({values[0]})"
        case "select":
            return f"{values[0]} ? {values[1]} : {values[2]}"
        case "freeze":
            return values[0]
    return f"{values[0]} {_BINARY[opcode]} {values[1]}"


def _extreme(state: _Module, instruction: Any, operands: list[Any]) -> str:
    """A call of ``llvm.smax`` and its like."""
    called = re.fullmatch(r"llvm\.([su])(max|min)\.i\d+", operands[-1].name)
    if called is None:
        raise _unknown(instruction)
    a, b = state.value(operands[0]), state.value(operands[1])
    return f"{_comparison(called[1] + _EXTREME[called[2]], a, b)} ? {a} : {b}"


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


def _reach_blocks(state: _Module, blocks: list[str]) -> None:
    """Define by which edges each block is reached; the first one always is."""
    state.define(f"block {blocks[0]}", 1, "1'b1")
    for block in blocks[1:]:
        taken = []
        for origin, condition in state.edges.get(block, ()):
            reached = state.wire(f"block {origin}", 1)
            state.define(f"edge {origin} {block}", 1, f"{reached} && {condition}")
            taken.append(state.edge(origin, block))
        state.define(f"block {block}", 1, " || ".join(taken) or "1'b0")


def _module_text(state: _Module, module: str, inputs: list[tuple[str, int]]) -> str:
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
