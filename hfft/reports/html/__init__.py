"""The report as a page of its own: HTML and SVG without scripts."""
