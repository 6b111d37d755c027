"""nginx in front of web processes, with the shipped template filled as compose.yaml does it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from string import Template

from tests.faults.site import Site
from tests.faults.trial import CannotRunHere
from tests.ports import free_port
from tests.processes import ROOT, is_serving

NGINX = "/usr/sbin/nginx"
CONFIG = """\
daemon off;
pid {folder}/nginx.pid;
error_log /dev/stderr warn;
worker_processes 1;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/chat.conf;
}}
"""


@asynccontextmanager
async def nginx(site: Site, ports: Sequence[int]) -> AsyncIterator[int]:
    """Run nginx in front of the web processes at `ports`; yield the port that it listens on."""
    if not await asyncio.to_thread((ROOT / NGINX).exists):
        raise CannotRunHere("nginx is not installed")
    folder, port = site.stack.folder / "nginx", free_port()
    folder.mkdir()
    template = Template((ROOT / "deploy" / "nginx.conf.template").read_text())
    text = template.safe_substitute(
        CHAT_LISTEN=f"127.0.0.1:{port}",
        CHAT_ACCESS_LOG="/dev/stdout",
        CHAT_ERROR_LOG="/dev/stderr",
        CHAT_RESOLVER="127.0.0.1",
        CHAT_SERVERS=" ".join(f"server 127.0.0.1:{each} max_fails=0;" for each in ports),
        CHAT_TRUSTED_PROXIES="",
    )
    (folder / "chat.conf").write_text(text)
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder))
    process = await site.in_thread(
        site.stack.run, "nginx", f"{NGINX} -c {folder}/nginx.conf -p {folder}", {}
    )
    await site.in_thread(
        process.wait_until, lambda: is_serving(f"http://127.0.0.1:{port}/test"), "to serve"
    )
    try:
        yield port
    finally:
        await site.in_thread(process.stop)
