"""A production deployment: nginx with the shipped configuration before two web processes."""

import os
import re
import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import requests

from chat.cli.processes import procfile_commands
from tests.model_stub import ModelStub
from tests.ports import free_port
from tests.processes import HIGH_LIMITS, ROOT, Process, Stack

HOST = "chat.example"
ORIGIN = f"https://{HOST}"
PROCFILE = procfile_commands(ROOT / "Procfile.production")
TEMPLATE = ROOT / "deploy" / "nginx.conf.template"
# Shorter timeouts and more frequent pings, in proportion, for the tests of idle sockets.
IDLE = {"120s": "3s"}
PINGS = "--ws-ping-interval 1 --ws-ping-timeout 10"


class Deployment:
    """The production processes of compose.yaml, without the containers."""

    def __init__(self, folder: Path, environment: Mapping[str, str], model: ModelStub) -> None:
        self.model = model
        self._settings = settings() | dict(environment)
        self.stack = Stack(folder, HIGH_LIMITS | dict(environment))
        self.port = free_port()
        self.webs: list[Process] = []
        self.trusted_proxies = "set_real_ip_from 127.0.0.0/8;"

    def start(self, patches: Mapping[str, str] = IDLE) -> None:
        """Start everything; `patches` replace text in nginx's configuration."""
        stack = self.stack
        if "REDIS_URL" not in stack.environment:
            stack.start_redis()  # with settings of development, because it is the embedded one
        stack.environment |= self._settings | {"REDIS_URL": stack.redis_url}
        for preparation in ("migrate --noinput", "collectstatic --noinput"):
            done = stack.run("prepare", f"python manage.py {preparation}", {})
            assert done.process.wait(60) == 0, done.output()
        for _ in range(2):
            self.webs.append(self.launch_web(free_port()))
        for name in ("worker", "beat"):
            stack.run(name, PROCFILE[name], {})
        self.start_nginx(patches)
        for web in self.webs:
            self.wait_until_ready(web)

    def start_nginx(self, patches: Mapping[str, str]) -> Process:
        """Start nginx with the template filled in and included in `http`, as its image does."""
        servers = " ".join(f"server 127.0.0.1:{web.port} max_fails=0;" for web in self.webs)
        values = {
            "CHAT_LISTEN": f"127.0.0.1:{self.port}",
            "CHAT_ACCESS_LOG": "/dev/stdout",
            "CHAT_ERROR_LOG": "/dev/stderr",
            "CHAT_RESOLVER": "127.0.0.1",
            "CHAT_SERVERS": servers,
            "CHAT_TRUSTED_PROXIES": self.trusted_proxies,
        }
        site = TEMPLATE.read_text()
        for old, new in patches.items():
            assert old in site
            site = site.replace(old, new)
        site = re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], site)
        folder = self.stack.folder / f"nginx-{uuid4().hex}"
        (folder / "temp").mkdir(parents=True)
        (folder / "site.conf").write_text(site)
        (folder / "nginx.conf").write_text(main_configuration(folder))
        command = f"{nginx()} -e stderr -p {folder} -c {folder}/nginx.conf"
        process = self.stack.run("nginx", command, {})
        process.wait_until(lambda: is_listening(self.port), "to listen")
        return process

    def start_web(self, port: int) -> Process:
        """Start another web process and wait until it is ready."""
        web = self.launch_web(port)
        self.wait_until_ready(web)
        return web

    def launch_web(self, port: int) -> Process:
        command = PROCFILE["web"].replace("uvicorn ", f"uvicorn {PINGS} ")
        return self.stack.run("web", command, {"PORT": str(port)})

    def wait_until_ready(self, web: Process) -> None:
        web.wait_until(lambda: self.is_ready(web), "to be ready")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self, web: Process) -> bool:
        """Send a request to the web process by IP address, as a container's probe does."""
        with suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{web.port}/readyz", timeout=10).ok
        return False


def settings() -> dict[str, str]:
    """Return the settings that production requires."""
    return {
        "APP_ENV": "production",
        "SECRET_KEY": uuid4().hex * 2,
        "ALLOWED_HOSTS": HOST,
        "CORS_ALLOWED_ORIGINS": ORIGIN,
    }


def nginx() -> str:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "run scripts/servers.sh"
    return program


def main_configuration(folder: Path) -> str:
    """Return the main configuration of nginx's image, which includes that of the site."""
    temps = "\n".join(
        f"{name}_temp_path {folder}/temp/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    return f"""
daemon off; {user} pid {folder}/nginx.pid; worker_processes 2;
events {{ worker_connections 1024; }}
http {{ {temps} include {folder}/site.conf; }}
"""


def is_listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
