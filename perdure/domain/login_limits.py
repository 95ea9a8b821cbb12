"""How many wrong log-ins are let through, and for how long an account or address then has to wait."""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class AttemptPolicy:
    """`free` attempts within `window`; each further one waits twice as long, up to `longest_lock`."""

    free: int
    window: timedelta
    first_lock: timedelta
    longest_lock: timedelta

    def lock_after(self, failures: int) -> timedelta | None:
        """How long to lock after this many attempts within the window; None for not at all."""
        if failures < self.free:
            return None
        doublings = 1 << min(failures - self.free, 16)
        return min(self.first_lock * doublings, self.longest_lock)


@dataclass(frozen=True)
class LoginLimits:
    """Policies per account, per client address, and for new accounts per client address."""

    account: AttemptPolicy = AttemptPolicy(
        5, timedelta(minutes=15), timedelta(seconds=30), timedelta(minutes=15)
    )
    address: AttemptPolicy = AttemptPolicy(
        30, timedelta(minutes=15), timedelta(seconds=30), timedelta(minutes=15)
    )
    registration: AttemptPolicy = AttemptPolicy(
        200, timedelta(hours=1), timedelta(minutes=1), timedelta(hours=1)
    )


def account_subject(email: str) -> str:
    """Name under which attempts on an account are counted, whether or not it exists."""
    return "account:" + hashlib.sha256(email.encode("utf-8", "surrogatepass")).hexdigest()


def address_subject(address: str, purpose: str = "address") -> str:
    """Name under which attempts from an address are counted; an IPv6 customer has a whole /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"{purpose}:{address[:100]}"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return f"{purpose}:{parsed.ipv4_mapped}"
        return f"{purpose}:{ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"{purpose}:{parsed}"
