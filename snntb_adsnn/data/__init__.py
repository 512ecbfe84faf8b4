"""Data sets: in memory, as image folders, and in SNN Toolbox's format."""

from snntb_adsnn.data.sets import (
    NORM_SAMPLES,
    Array,
    Dataset,
    ensure_toolbox_data,
    load_dataset,
    one_hot,
    prepare_run,
    read_idx,
    read_sonar,
    split,
    write_toolbox_data,
)

__all__ = [
    "NORM_SAMPLES",
    "Array",
    "Dataset",
    "ensure_toolbox_data",
    "load_dataset",
    "one_hot",
    "prepare_run",
    "read_idx",
    "read_sonar",
    "split",
    "write_toolbox_data",
]
