"""Copies the Mermaid library from npm's folder into the site, so that diagrams need no other host."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

MERMAID = Path("node_modules/mermaid/dist/mermaid.min.js")


def on_files(files: Files, config: Any) -> Files:
    """Add the library to the site's files."""
    content = MERMAID.read_bytes()
    files.append(File.generated(config, "assets/mermaid.min.js", content=content))
    return files
