"""The paper's figures and tables, measured anew (``snntb-adsnn paper``): what is measured, drawn, and written."""
