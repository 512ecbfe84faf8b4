"""The plan of the house, docs/architecture.md, holds: who may import whom, no circles, small faces, short calls."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from imports import arrows, circles, modules

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "snntb_adsnn": ROOT / "snntb_adsnn",
    "adsnn_hls": ROOT / "hls" / "adsnn_hls",
    "verification": ROOT / "verification",
}


def plan(text: str) -> dict[str, set[str]]:
    """By room, the rooms that it may import: the tables of the page, with what follows from them."""
    rows = re.findall(r"^\| (`[^|]+`) \|[^|]*\|([^|]*)\|$", text, re.M)
    allowed = {
        room: set(re.findall(r"`([\w.]+)`", may)) for rooms, may in rows for room in re.findall(r"`([\w.]+)`", rooms)
    }
    for room, may in allowed.items():
        assert may <= set(allowed), f"{room} may import rooms that the page does not name: {may - set(allowed)}"
    growing = True
    while growing:
        growing = False
        for may in allowed.values():
            more = set().union(*(allowed[room] for room in may)) - may
            may |= more
            growing |= bool(more)
    return allowed


PLAN = plan((ROOT / "docs" / "architecture.md").read_text())


def room_of(module: str) -> str:
    """The longest room of the plan that a module lies in; a package's own face is a room above all."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length]).removeprefix("snntb_adsnn.")
        if name in PLAN:
            return name
    return module


def broken(known: dict[str, Path]) -> list[str]:
    """Imports against the plan."""
    found = []
    for module, imported in arrows(known, texts=True).items():
        for other in sorted(imported):
            here, there = room_of(module), room_of(other)
            if here != there and module not in PACKAGES and there not in PLAN.get(here, set()):
                found.append(f"{module} -> {other}")
    return found


def everything() -> dict[str, Path]:
    return {name: file for package in PACKAGES.values() for name, file in modules(package).items()}


def test_imports_follow_the_plan():
    assert broken(everything()) == []


def test_every_module_lies_in_a_room_of_the_plan():
    homeless = [m for m in everything() if room_of(m) not in PLAN and m not in PACKAGES]
    assert homeless == []


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_no_circle(package):
    assert circles(arrows(modules(PACKAGES[package]), texts=False)) == []


def test_rooms_form_no_circle():
    assert [room for room, may in PLAN.items() if room in may] == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("errors.py", "import snntb_adsnn.files"),
        ("network/graph.py", "from snntb_adsnn.engine import simulate"),
        ("measure/evaluate.py", "def later():\n    from snntb_adsnn import report"),
        ("files.py", "LATER = 'snntb_adsnn.cli:main'"),
    ],
)
def test_an_arrow_turned_round_is_found(file, line, tmp_path):
    copy = tmp_path / "snntb_adsnn"
    shutil.copytree(PACKAGES["snntb_adsnn"], copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = broken(modules(copy))
    with (copy / file).open("a") as text:
        text.write(f"\n{line}\n")
    module = "snntb_adsnn." + file.removesuffix(".py").replace("/", ".")
    assert [new.split(" -> ")[0] for new in set(broken(modules(copy))) - set(before)] == [module]


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [{"b", "c"}]


def test_few_modules_stand_outside_the_rooms():
    outside = sorted(file.name for file in PACKAGES["snntb_adsnn"].glob("*.py"))
    assert len(outside) <= 6, outside


FRAMEWORKS = {"tensorflow", "tf_keras", "keras", "torch", "onnx", "snntoolbox", "numba", "hls4ml"}


@pytest.mark.parametrize("module", ["snntb_adsnn", "snntb_adsnn.config", "snntb_adsnn.frontends", "snntb_adsnn.engine"])
def test_importing_it_imports_no_framework(module):
    program = f"import sys, {module}\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded
    assert not FRAMEWORKS & set(loaded)


MOST_ARGUMENTS = 10


def long_calls(tree: ast.AST) -> list[int]:
    """Lines of calls with more than ``MOST_ARGUMENTS``, outside functions that numba compiles."""
    compiled = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any("compiled" in ast.unparse(d) for d in node.decorator_list)
        for inner in ast.walk(node)
    }
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node not in compiled)
    return [node.lineno for node in calls if len(node.args) + len(node.keywords) > MOST_ARGUMENTS]


def test_no_call_has_many_arguments():
    found = {str(file): lines for file in everything().values() if (lines := long_calls(ast.parse(file.read_text())))}
    assert found == {}
    assert long_calls(ast.parse(f"f({', '.join('x' * 11)})")) == [1]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_the_pages_name_are_there(page):
    named = re.findall(r"`((?:snntb_adsnn|hls|tests|verification|docs|configs)/[\w./]*)`", (ROOT / page).read_text())
    assert named
    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []
