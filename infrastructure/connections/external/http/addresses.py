"""Which addresses a request may be sent to."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

#: The second is for the own network (RFC 8215), its addresses mostly written as those of the first.
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")
#: What Python, in some of its versions, calls global: site-local, translation for the own network
#: (RFC 8215), protocol assignments, relays of 6to4 (RFC 7526), documentation (RFC 9637).
_OWN = tuple(
    ip_network(each)
    for each in ("fec0::/10", "64:ff9b:1::/48", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
)
#: Where clouds answer programs on their machines, outside the link-local range.
_METADATA = tuple(
    ip_network(each)
    for each in (
        *("fd00:ec2::/32", "fd20:ce::254", "168.63.129.16"),  # AWS, Google, Azure (looks public)
        *("192.0.0.192", "fd00:c1::a9fe:a9fe"),  # Oracle
        *("100.100.100.200", "fd00:100::100:200"),  # Alibaba
        *("fd00:42::42", "fd00:a9fe:a9fe::1"),  # Scaleway, Akamai
    )
)

Address = IPv4Address | IPv6Address


def why_refused(text: str, *, allow_private: bool) -> str:
    """Why an address may not be connected to; empty when it may.

    An IPv4 address inside an IPv6 one - mapped, 6to4, Teredo, NAT64 - counts as itself.

    Args:
        text: The address as the resolver gave it; a zone after `%` is allowed.
        allow_private: Whether machines of the own network, this one included, may be reached.
            What is link-local, where clouds keep their metadata, may not even then.
    """
    for address in (whole := ip_address(text), *_inside(whole)):
        if address.is_link_local or any(address in each for each in _METADATA):
            return "link-local or a cloud's metadata"
        if address.is_multicast or address.is_unspecified:
            return "no address of one machine"
        if not allow_private and not _is_public(address):
            return "not public"
    return ""


def _is_public(address: Address) -> bool:
    if any(address in each for each in _OWN):
        return False
    # of those inside, each is looked at by itself
    return bool(_inside(address)) or (address.is_global and not address.is_reserved)


def _inside(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        return ()
    teredo = address.teredo or ()
    named = (address.ipv4_mapped, address.sixtofour, *teredo)
    found = [each for each in named if each is not None]
    is_loopback = address.is_loopback or address.is_unspecified
    if any(address in each for each in _NAT64) or (address in _COMPATIBLE and not is_loopback):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(found)
