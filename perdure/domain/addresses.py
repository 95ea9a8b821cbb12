"""Which URLs may be fetched: nothing that leads into our own network, however it is written."""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

from perdure.errors import DocumentRejectedError

IPAddress = IPv4Address | IPv6Address

DEFAULT_PORTS = frozenset({80, 443})
_MAX_URL = 4_096
_SCHEME_PORTS = {"http": 80, "https": 443}
_FORBIDDEN_CHARACTERS = re.compile(r"[\x00-\x20\x7f\\<>\"`{}|^]")
_LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$")
_NUMBER = re.compile(r"^(?:0x[0-9a-f]*|[0-9]+)$")
_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa", "onion")
# Global by registration, or by the library's tables, but a way into somebody's own network all the same.
_CLOSED_NETWORKS = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; a cloud keeps its metadata at .192
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # the platform address inside Azure
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local use
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fec0::/10",  # site-local
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
    )
)


@dataclass(frozen=True)
class Target:
    """A URL taken apart once, so that what was checked is what is requested."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The URL written anew from its parts."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """What belongs into the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _SCHEME_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class AddressRules:
    """`allowed` are `(host, port)` that an operator opened on purpose; no other rule on addresses binds them."""

    allowed: frozenset[tuple[str, int]] = frozenset()
    ports: frozenset[int] = field(default=DEFAULT_PORTS)

    @classmethod
    def from_setting(cls, listed: str, ports: frozenset[int] = DEFAULT_PORTS) -> "AddressRules":
        """Read `host:port, [ipv6]:port, host`; without a port both 80 and 443 are meant."""
        allowed: set[tuple[str, int]] = set()
        for entry in filter(None, (one.strip() for one in listed.split(","))):
            parts = urlsplit(f"//{entry}")
            host = (parts.hostname or "").rstrip(".")
            allowed |= {(host, parts.port)} if parts.port else {(host, 80), (host, 443)}
        return cls(allowed=frozenset(allowed), ports=ports)

    def is_allowed(self, target: Target) -> bool:
        """Whether the operator opened this very host and port."""
        return (target.host, target.port) in self.allowed


def forbidden(detail: str) -> DocumentRejectedError:
    """The one refusal of this module."""
    return DocumentRejectedError("forbidden_address", detail)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, whatever way it is written; DocumentRejectedError when it is none."""
    target = _target(url)
    return f"{target.scheme}://{target.authority}"


def check_url(url: str, rules: AddressRules) -> Target:
    """Take a URL apart and refuse every form that is not plainly public http or https."""
    target = _target(url)
    if not rules.is_allowed(target):
        _check_target(target, rules)
    return target


def _target(url: str) -> Target:
    if len(url) > _MAX_URL:
        raise forbidden(f"The URL is longer than {_MAX_URL} characters.")
    if _FORBIDDEN_CHARACTERS.search(url):
        raise forbidden("The URL contains blanks, control characters or backslashes. Percent-encode them.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise forbidden(f"The URL cannot be read: {error}.") from error
    if parts.scheme not in _SCHEME_PORTS:
        raise forbidden("Only http and https URLs are fetched.")
    if "@" in parts.netloc:
        raise forbidden("URLs with a user name or password are not fetched. Leave them out.")
    return Target(
        scheme=parts.scheme,
        host=_host(parts),
        port=_SCHEME_PORTS[parts.scheme] if port is None else port,
        path=_path(parts),
    )


def check_redirect(current: Target, location: str, rules: AddressRules) -> Target:
    """The target of a redirect, under the same rules as the first URL."""
    if _FORBIDDEN_CHARACTERS.search(location):
        raise forbidden("The server redirects to a malformed URL.")
    try:
        following = urljoin(current.url, location)
    except ValueError as error:
        raise forbidden(f"The server redirects to a malformed URL: {error}.") from error
    return check_url(following, rules)


def check_addresses(target: Target, addresses: list[str], rules: AddressRules) -> list[str]:
    """The addresses of a host, all of which must be public: one inner address among them is an attack."""
    if not rules.is_allowed(target):
        for address in addresses:
            if not is_public(address):
                raise forbidden(f"{target.host} leads to an address that is not public ({address}).")
    return addresses


def is_public(address: str) -> bool:
    """Whether an address is a unicast address of the open internet."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        return False
    if parsed.is_multicast or parsed.is_reserved or not parsed.is_global:
        return False
    return not any(parsed.version == network.version and parsed in network for network in _CLOSED_NETWORKS)


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host:
        raise forbidden("The URL has no host.")
    if "%" in host:
        raise forbidden("The host contains a percent sign: neither zone ids nor encoded hosts are fetched.")
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError as error:
            raise forbidden("The host is no valid IPv6 address.") from error
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise forbidden(f"The host is not a valid name: {error}.") from error
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.match(label) for label in labels):
        raise forbidden("The host is not a valid name.")
    if _NUMBER.match(labels[-1]):
        # decimal, octal, hexadecimal and shortened addresses: only the plain form is one
        try:
            return str(IPv4Address(host))
        except ValueError as error:
            raise forbidden("The host is a number that is no plain IPv4 address.") from error
    return host


def _path(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")
    return f"{path}?{query}" if query else path


def _check_target(target: Target, rules: AddressRules) -> None:
    if target.port not in rules.ports:
        raise forbidden(
            f"Port {target.port} is not fetched from, only {', '.join(map(str, sorted(rules.ports)))}. "
            "An operator may open a host and port with PERDURE_FETCH_ALLOW_HOSTS."
        )
    try:
        literal: IPAddress | None = ip_address(target.host)
    except ValueError:
        literal = None
    if literal is not None:
        if not is_public(target.host):
            raise forbidden(f"{target.host} is not a public address.")
        return
    labels = target.host.split(".")
    if len(labels) == 1 or any(target.host.endswith(f".{name}") for name in _LOCAL_NAMES):
        raise forbidden(f"{target.host} is a name of a local network, not of the internet.")
