"""The addresses of clients, and what counts as one address in limits."""

from ipaddress import IPv4Address, ip_address, ip_network

from django.http import HttpRequest

# Over a Unix socket, the server does not know the client's address.
LOCAL = "local"


def client_address(request: HttpRequest) -> str:
    """Return the client's address as the web server found it."""
    return str(request.META.get("REMOTE_ADDR") or LOCAL)


def client_network(request: HttpRequest) -> str:
    """Return the address or network under which a client counts."""
    return network_of(client_address(request))


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or an IPv6 network of 64 bits.

    A subscriber with IPv6 usually has at least one such network and every address in it.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network(f"{parsed}/64", strict=False))
