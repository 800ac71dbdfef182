"""Makes a site of the README and the pages of docs/, as they stand: make site.

Sphinx reads them where they lie, so that their links hold here as on a forge; the map in docs/index.md gives the order
of the menu, and docstrings describe every public name of `hfft` below docs/python.md.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

import hfft

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^\*\*([^*]+)\*\*$\n(.*?)(?=^\*\*|\Z)", re.MULTILINE | re.DOTALL)
PAGE = re.compile(r"\]\(([\w./]+)\.md\)")
LOADED = re.compile(r'<(?:script|img|link rel="(?:stylesheet|preload)")[^>]*(?:src|href)="(?:https?:)?//[^"]+')

project = "hfft"
author = copyright = "The hfft authors"
version = release = hfft.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"]
root_doc = "README"
language = "en"
default_role = "code"  # single backticks, in docstrings too
suppress_warnings = ["misc.highlighting_failure"]  # JSON lines, and the `...` of an answer

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_ivar = True

html_theme = "furo"
html_title = "hfft"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
pygments_style = "default"
pygments_dark_style = "github-dark"


def menu() -> str:
    """The contents of the site, by the sections of the map."""
    listed = (ROOT / "docs" / "index.md").read_text("utf-8")
    parts = ["```{toctree}\n:hidden:\n\ndocs/index\n```"]
    for title, body in SECTION.findall(listed):
        pages = [name.removeprefix("../") if name.startswith("../") else f"docs/{name}" for name in PAGE.findall(body)]
        parts.append("\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"]))
    return "\n\n".join(parts)


def public_names() -> str:
    """What docstrings say of every public name."""
    kinds = {name: "autoclass" if isinstance(getattr(hfft, name), type) else "autofunction" for name in hfft.__all__}
    parts = [f".. {kind}:: hfft.{name}\n" + "   :members:\n" * (kind == "autoclass") for name, kind in kinds.items()]
    return "\n".join(["## Every name", "", "```{eval-rst}", *parts, "```"])


def add_to_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Adds to a page what only the site has."""
    added = {"README": menu, "docs/python": public_names}.get(name)
    if added is not None:
        source[0] += f"\n\n{added()}\n"


def finish(app: Sphinx, error: Exception | None) -> None:
    """Gives the first page the name that servers look for, and checks that no page loads anything from elsewhere."""
    if error is not None:
        return
    site = Path(app.outdir)
    shutil.copyfile(site / "README.html", site / "index.html")
    for page in site.rglob("*.html"):
        found = LOADED.search(page.read_text("utf-8"))
        if found is not None:
            raise SphinxError(f"{page.name} loads from elsewhere: {found[0]}")


def setup(app: Sphinx) -> None:
    """Joins these functions to the build."""
    app.connect("source-read", add_to_page)
    app.connect("build-finished", finish)
