"""Print the changelog's section of a version; fails unless it is the version of pyproject.toml."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(version: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if version != project["version"]:
        sys.exit(f"pyproject.toml has version {project['version']}, not {version}.")
    changelog = (ROOT / "CHANGELOG.md").read_text()
    section = re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## \[|\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    if not section or not section[1].strip():
        sys.exit(f"CHANGELOG.md has no section for {version} with a date.")
    sys.stdout.write(section[1].strip() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
