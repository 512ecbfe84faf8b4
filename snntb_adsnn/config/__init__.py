"""Configuration files: one section a file, checked on load."""

from snntb_adsnn.config.adsnn import AdsnnSection
from snntb_adsnn.config.load import (
    SECTIONS,
    Config,
    adsnn_section,
    check_config,
    check_neurons,
    is_ours,
    load_config,
    simulation_section,
    source_of,
)
from snntb_adsnn.config.messages import naming
from snntb_adsnn.config.paths import PathsSection
from snntb_adsnn.config.reading import read_ini
from snntb_adsnn.config.simulation import SimulationSection
from snntb_adsnn.config.training import TrainingSection

__all__ = [
    "SECTIONS",
    "AdsnnSection",
    "Config",
    "PathsSection",
    "SimulationSection",
    "TrainingSection",
    "adsnn_section",
    "check_config",
    "check_neurons",
    "is_ours",
    "load_config",
    "naming",
    "read_ini",
    "simulation_section",
    "source_of",
]
