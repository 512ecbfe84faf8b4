"""Which file imports which, read from the source: imports at the top, in functions, for types, and by name as text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Arrows = Mapping[str, set[str]]


def modules(package: Path) -> dict[str, Path]:
    """Modules of a package by dotted name; the package's own folder gives the first part."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = (package.name, *file.relative_to(package).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def arrows(known: Mapping[str, Path], *, texts: bool) -> dict[str, set[str]]:
    """By module, the known modules it imports.

    Args:
        known: modules by dotted name.
        texts: whether a module's full name as a string counts too: what is imported later, by name.
    """
    return {name: set(_imports(ast.parse(file.read_text()), known, texts)) - {name} for name, file in known.items()}


def _imports(tree: ast.AST, known: Mapping[str, Path], texts: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in known:
                    yield inner
                elif alias.name != "__version__":  # the version is nobody's room
                    yield str(node.module)
        elif texts and isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.partition(":")[0]
            if "." in name and name in known:
                yield name


def circles(graph: Arrows) -> list[set[str]]:
    """Groups of nodes that lead to each other (Tarjan's strongly connected components of more than one node)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            at = stack.index(node)
            group = set(stack[at:])
            del stack[at:]
            if len(group) > 1:
                found.append(group)

    for node in graph:
        if node not in order:
            visit(node)
    return found
