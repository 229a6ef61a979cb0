"""Which addresses belong to the public internet, and may be asked on a stranger's behalf."""

from __future__ import annotations

import ipaddress

# What Python's tables call global (3.10 to 3.12), and yet is no stranger's business.
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's host, with the machine's metadata
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata is at 192.0.0.192
        "192.88.99.0/24",  # relays of 6to4, given up (RFC 7526)
        "64:ff9b:1::/48",  # NAT64 of one's own network (RFC 8215)
        "fec0::/10",  # site-local, given up (RFC 3879), but routed where it still is in use
        "3fff::/20",  # documentation (RFC 9637)
        "::/96",  # IPv4-compatible, given up (RFC 4291)
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


def is_public(address: str) -> bool:
    """Whether an address is of the public internet, also when IPv4 is wrapped into IPv6.

    Args:
        address: as the resolver writes it, a zone (`%eth0`) included.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _wrapped(ip)
        if inner is not None:
            return is_public(str(inner))
    if any(ip.version == network.version and ip in network for network in _REFUSED):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _wrapped(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that is asked in the end, None where it is the address itself."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
