"""Configuration files: one section a file, checked on load."""

from snntb_adsnn.config.adsnn import AdsnnSection
from snntb_adsnn.config.load import SECTIONS, Config, adsnn_section, load_config, read_ini
from snntb_adsnn.config.paths import PathsSection

__all__ = ["SECTIONS", "AdsnnSection", "Config", "PathsSection", "adsnn_section", "load_config", "read_ini"]
