"""Data sets: in memory, as image folders, and in SNN Toolbox's format. Importing this room loads no data."""

from snntb_adsnn.data.dataset import Array, Dataset, one_hot, split
from snntb_adsnn.data.source import DATASETS, Choice, InMemory, Opened, Source, dataset, load_dataset
from snntb_adsnn.data.toolbox import ensure_toolbox_data, write_toolbox_data

# the sets register themselves, in the order in which they are listed to the user
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
