"""Hosts of a network: namespaces of this machine, joined by a bridge.

async with network(stack.in_thread, "web", "redis") as hosts:
    hosts["redis"].cut_off()
"""

import ipaddress
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.faults.trial import CannotRunHere

TOOLS = ("ip", "iptables")
# Private networks; one that this machine has a route to is left out.
NETWORKS = tuple(ipaddress.IPv4Network("10.213.0.0/16").subnets(new_prefix=24))


@dataclass(frozen=True)
class NetworkHost:
    """One host: its name among the namespaces and its address."""

    namespace: str
    address: str

    @property
    def prefix(self) -> str:
        """The words before a command that runs on this host."""
        return f"ip netns exec {self.namespace}" if self.namespace else ""

    def cut_off(self, *others: "NetworkHost") -> None:
        """Drop every packet from and to the others, or everybody, as a broken cable does."""
        for other in others or (None,):
            source = ["-s", other.address] if other else ["!", "-i", "lo"]
            target = ["-d", other.address] if other else ["!", "-o", "lo"]
            self._run("iptables", "-A", "INPUT", *source, "-j", "DROP")
            self._run("iptables", "-A", "OUTPUT", *target, "-j", "DROP")

    def lose_packets(self, share: float) -> None:
        """Drop this share of the packets that arrive."""
        random = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        self._run("iptables", "-A", "INPUT", "!", "-i", "lo", *random, "-j", "DROP")

    def reconnect(self) -> None:
        """Let all packets pass again."""
        self._run("iptables", "-F")

    def _run(self, *command: str) -> None:
        run(*self.prefix.split(), *command)


@contextmanager
def network(*names: str) -> Iterator[dict[str, NetworkHost]]:
    """Create hosts for as long as the block runs; raises CannotRunHere.

    The test's own process is on the network as well, at the first address.
    """
    if os.geteuid() or not all(map(shutil.which, TOOLS)):
        raise CannotRunHere("network namespaces need root, ip and iptables")
    token = secrets.token_hex(3)
    subnet = free_network()
    own, *addresses = list(subnet.hosts())[: len(names) + 1]
    with ExitStack() as undo:
        bridge = f"cb{token}"
        try:
            run("ip", "link", "add", bridge, "type", "bridge")
            undo.callback(run, "ip", "link", "del", bridge)
            run("ip", "address", "add", f"{own}/24", "dev", bridge)
            run("ip", "link", "set", bridge, "up")
            hosts = {}
            for number, (name, address) in enumerate(zip(names, addresses, strict=True)):
                host = NetworkHost(f"chat-{token}-{name}", str(address))
                run("ip", "netns", "add", host.namespace)
                undo.callback(run, "ip", "netns", "del", host.namespace)
                connect(host, f"cv{token}{number}", bridge)
                hosts[name] = host
        except subprocess.CalledProcessError as error:
            raise CannotRunHere(f"network namespaces: {error.stderr.decode().strip()}") from error
        yield hosts | {"test": NetworkHost("", str(own))}


def connect(host: NetworkHost, interface: str, bridge: str) -> None:
    """Give a host an interface whose other end is in the bridge."""
    namespace = host.namespace
    run("ip", "link", "add", interface, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    run("ip", "link", "set", interface, "master", bridge, "up")
    run("ip", "-n", namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
    run("ip", "-n", namespace, "link", "set", "eth0", "up")
    run("ip", "-n", namespace, "link", "set", "lo", "up")
    run(*host.prefix.split(), "iptables", "-S")


def free_network() -> ipaddress.IPv4Network:
    """Return a private network that no interface of this machine has."""
    found = json.loads(subprocess.check_output(["ip", "-json", "address"]))
    addresses = [ipaddress.ip_address(each["local"]) for one in found for each in one["addr_info"]]
    free = [each for each in NETWORKS if not any(address in each for address in addresses)]
    return secrets.choice(free)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
