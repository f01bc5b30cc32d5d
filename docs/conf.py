"""How Sphinx makes the documentation: `make docs`, then docs/_build/index.html."""

from ise_assets import __version__

project, author, release = "ise_assets", "ise_assets contributors", __version__
extensions = ["myst_parser"]
exclude_patterns = ["_build", "warehouse.ipynb"]
html_theme = "furo"
html_title = "ise_assets"
html_extra_path = ["warehouse.ipynb"]
html_copy_source = False
myst_heading_anchors = 3  # links to headings, as code hosts make them, are checked
myst_enable_extensions = ["colon_fence"]
nitpicky = True
