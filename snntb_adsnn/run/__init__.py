"""From a configuration to a network: ``load(config)``, the one way. Importing this room imports no framework."""

from snntb_adsnn.run.files import (
    correction_inputs,
    model_of,
    naming_model,
    need_initial,
    need_model,
    need_parsed,
    need_shape,
    need_targets,
    prepare_run,
    read_npz,
)
from snntb_adsnn.run.load import Run, load
from snntb_adsnn.run.network import (
    CORRECTION_INPUTS,
    configured,
    corrected,
    correction_of,
    early_rule,
    for_task,
    need_time,
    waiting,
)

__all__ = [
    "CORRECTION_INPUTS",
    "Run",
    "configured",
    "corrected",
    "correction_inputs",
    "correction_of",
    "early_rule",
    "for_task",
    "load",
    "model_of",
    "naming_model",
    "need_initial",
    "need_model",
    "need_parsed",
    "need_shape",
    "need_targets",
    "need_time",
    "prepare_run",
    "read_npz",
    "waiting",
]
