"""Data sets: in memory, as image folders, and in SNN Toolbox's format. Importing this room loads no data."""

from importlib import import_module
from pkgutil import iter_modules

from snntb_adsnn.data.dataset import Array, Dataset, one_hot, split
from snntb_adsnn.data.source import DATASETS, Choice, InMemory, Opened, Source, dataset, load_dataset
from snntb_adsnn.data.toolbox import ensure_toolbox_data, write_toolbox_data

# the sets register themselves, in the order in which they are listed to the user; those of other files follow
# isort: off
from snntb_adsnn.data import small, mnist, cifar, folder  # noqa: F401

# isort: on

__all__ = [
    "DATASETS",
    "Array",
    "Choice",
    "Dataset",
    "InMemory",
    "Opened",
    "Source",
    "dataset",
    "ensure_toolbox_data",
    "load_dataset",
    "one_hot",
    "split",
    "write_toolbox_data",
]

for _file in iter_modules(__path__):  # a new file needs no entry here
    import_module(f"{__name__}.{_file.name}")
