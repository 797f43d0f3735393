"""How Sphinx builds the documentation: ``make docs``."""

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generated import write_pages  # noqa: E402

project = "solteq-woo-assets"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Solteq and WooCommerce in step"
exclude_patterns = ["README.md"]
myst_heading_anchors = 4


def setup(app: Sphinx) -> None:
    """Make the generated pages before anything is read. Mermaid is drawn by GitHub and shown as text here."""
    write_pages(HERE)
    app.add_lexer("mermaid", TextLexer)
