"""The commands ``snntb-adsnn hls`` and ``snntb-adsnn cosim``."""
