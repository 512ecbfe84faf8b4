"""Makes SNN Toolbox know the simulator ``adsnn``, without changing its files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from snntb_adsnn.frontends.keras.choice import select_keras_2
from snntb_adsnn.toolbox import flow, shims

_PLUGIN = str(Path(__file__).parent / "plugin")


def _find_plugin(package: ModuleType) -> None:
    """Let the toolbox's ``import_module(package + name)`` find our modules too."""
    package.__path__.append(_PLUGIN)


_SCRIPT = "snntoolbox.bin.run"
_PATCHES: Mapping[str, Callable[[Any], None]] = {
    "snntoolbox.simulation.target_simulators": _find_plugin,
    "snntoolbox.parsing.model_libs": _find_plugin,
    "snntoolbox.bin.utils": flow.patch_utils,
    _SCRIPT: flow.patch_run,
    "snntoolbox.simulation.utils": shims.patch_simulation,
    "snntoolbox.conversion.utils": shims.patch_conversion,
    "snntoolbox.simulation.plotting": shims.patch_plotting,
}


def register() -> None:
    """Add the simulator ``adsnn`` to SNN Toolbox, and mend what newer NumPy, scikit-learn and matplotlib broke in it.

    Each of the toolbox's modules is patched when it is imported (or now, if it already is), and only once. Runs with
    other simulators get nothing but the mending.
    """
    if any(isinstance(finder, _PatchOnImport) for finder in sys.meta_path):
        return
    if "tensorflow" not in sys.modules:
        select_keras_2()
    sys.meta_path.insert(0, _PatchOnImport())
    for name in _PATCHES:
        if name in sys.modules:
            _patch(sys.modules[name])


def _patch(module: ModuleType) -> None:
    if not hasattr(module, "_patched_by_snntb_adsnn"):
        module._patched_by_snntb_adsnn = True  # type: ignore[attr-defined]
        _PATCHES[module.__name__](module)


class _PatchOnImport:
    """Finds the modules in ``_PATCHES`` by the usual finders, and patches each after it was executed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _PATCHES:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_patch(module: ModuleType) -> None:
            loader.__dict__.pop("get_code", None)
            execute(module)
            _patch(module)

        loader.exec_module = execute_and_patch
        if name == _SCRIPT:
            # ``python -m`` takes the code without importing the module: let it call the module's patched ``main``
            loader.get_code = lambda _: compile(f"from {_SCRIPT} import main\nmain()", f"<{_SCRIPT}>", "exec")
        return spec
