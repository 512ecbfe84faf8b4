"""Mends SNN Toolbox 0.6.0 (2021) for today's NumPy, scikit-learn and matplotlib, for every simulator.

Each function patches one module of the toolbox after its import; the comments name what is broken there.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from snntb_adsnn.files import optional_picture


class _NumPy:
    """NumPy as the toolbox's ``simulation.utils`` knew it."""

    bool = np.bool_  # removed in NumPy 1.24, back in 2.0
    product = staticmethod(np.prod)  # removed in 2.0

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def savez_compressed(file: Any, **arrays: Any) -> None:
        """Lists of (array, label) pairs, which NumPy turned into object arrays by itself until 1.24."""
        columns: dict[str, Any] = {k: labelled(v) if isinstance(v, list) else v for k, v in arrays.items()}
        np.savez_compressed(file, **columns)


def labelled(pairs: list[tuple[Any, str]]) -> np.ndarray[Any, Any]:
    """Pairs of (array, label) as the toolbox's logs hold them: an object array of shape (pairs, 2)."""
    table = np.empty((len(pairs), 2), object)
    for row, (array, label) in enumerate(pairs):
        table[row, 0], table[row, 1] = array, label
    return table


def patch_simulation(module: Any) -> None:
    """``np.bool``, ``np.product``, and the saving of list-type log variables."""
    module.np = _NumPy()


def patch_conversion(module: Any) -> None:
    """NumPy 2 keeps float32 in ``np.percentile``, and float32 is not JSON serialisable."""
    original = module.get_scale_fac

    @functools.wraps(original)
    def get_scale_fac(activations: Any, percentile: float) -> float:
        return float(original(activations, percentile))

    module.get_scale_fac = get_scale_fac


def patch_plotting(module: Any) -> None:
    """Positional arguments of scikit-learn's ``confusion_matrix``, matplotlib's renamed ``nonposx``, and ``plot_hist``,
    which draws into whatever figure happens to be open."""
    module.plot_confusion_matrix = _keyword_labels(module.plot_confusion_matrix)
    module.plot_param_sweep = _logarithmic_axis(module.plot_param_sweep, module.plt)
    module.plot_hist = _own_figure(module.plot_hist, module.plt)


def _own_figure(original: Any, plt: Any) -> Any:
    @functools.wraps(original)
    def plot(*args: Any, **kwargs: Any) -> None:
        plt.figure()
        original(*args, **kwargs)

    return plot


def _keyword_labels(original: Any) -> Any:
    @functools.wraps(original)
    def plot_confusion_matrix(y_test: Any, y_pred: Any, path: Any = None, class_labels: Any = None) -> None:
        import sklearn.metrics

        matrix = sklearn.metrics.confusion_matrix
        # the toolbox imports the name inside its function, so it can only be replaced there
        sklearn.metrics.confusion_matrix = lambda y, prediction, labels: matrix(y, prediction, labels=labels)
        try:
            original(y_test, y_pred, path, class_labels)
        finally:
            sklearn.metrics.confusion_matrix = matrix

    return plot_confusion_matrix


def _logarithmic_axis(original: Any, plt: Any) -> Any:
    @functools.wraps(original)
    def plot_param_sweep(results: Any, n: int, params: Any, param_name: str, param_logscale: bool) -> None:
        with optional_picture("the plot of SNN Toolbox's parameter sweep"):
            original(results, n, params, param_name, False)
            if param_logscale:
                plt.xscale("log", nonpositive="clip")

    return plot_param_sweep
