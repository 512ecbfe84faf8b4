"""What a run leaves behind: ``results.json``, a table on the terminal, and pictures."""

from snntb_adsnn.report.results import Figures, Results, read_results, write
from snntb_adsnn.report.table import print_table

__all__ = ["Figures", "Results", "print_table", "read_results", "write"]
