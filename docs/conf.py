"""Sphinx settings of the documentation. `make docs` builds it; a warning fails the build."""

project = "Chat"
author = "The Chat contributors"
language = "en"

extensions = ["myst_parser", "sphinxcontrib.mermaid"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_title = "Chat"
html_show_copyright = False
html_show_sphinx = False

# The diagrams need Mermaid. The site serves it itself, so that no other host is asked for anything.
html_static_path = ["../node_modules/mermaid/dist"]
mermaid_use_local = "mermaid.esm.min.mjs"
exclude_patterns = ["**/*.map"]
