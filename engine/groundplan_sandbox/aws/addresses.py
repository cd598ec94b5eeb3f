"""Public and elastic addresses: each one handed out is a real loopback address that nobody else on this machine holds.

Several sandboxes may run side by side, so an address is claimed by a bound UDP socket for as long as it is allocated:
the kernel keeps the claim honest and drops it when the process dies. Who serves on the address is the machines'
affair.
"""

import errno
import ipaddress
import itertools
import socket
import threading
from collections.abc import Iterator

NETWORK = ipaddress.IPv4Network("127.30.0.0/16")
CLAIM_PORT = 13030


class NoAddressError(Exception):
    """No address of the network can be bound on this machine."""


class AddressPool:
    """Addresses of `network`, handed out in ascending order; a released one comes back after all others had their turn.

    A new machine therefore does not inherit the address of the one destroyed before it, nor the host key a client
    remembers.
    """

    def __init__(self, network: ipaddress.IPv4Network = NETWORK) -> None:
        self._size = network.num_addresses - 2
        self._candidates: Iterator[ipaddress.IPv4Address] = itertools.cycle(network.hosts())
        self._claims: dict[str, socket.socket] = {}
        self._lock = threading.Lock()

    def take(self) -> str:
        """A free address, as dotted quad. Raises NoAddressError when none is left or the system refuses the network."""
        with self._lock:
            for candidate in itertools.islice(self._candidates, self._size):
                address = str(candidate)
                if address in self._claims:
                    continue
                claim = _claim(address)
                if claim is not None:
                    self._claims[address] = claim
                    return address
        raise NoAddressError("every address of the sandbox's network is taken")

    def release(self, address: str) -> None:
        """Give `address` back. One that was never taken is left alone."""
        with self._lock:
            claim = self._claims.pop(address, None)
        if claim is not None:
            claim.close()

    def release_all(self) -> None:
        """Give back every address taken."""
        with self._lock:
            claims = list(self._claims.values())
            self._claims.clear()
        for claim in claims:
            claim.close()


def _claim(address: str) -> socket.socket | None:
    """A socket that holds `address`, or None when another process holds it."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claim.bind((address, CLAIM_PORT))
    except OSError as error:
        claim.close()
        if error.errno == errno.EADDRINUSE:
            return None
        # macOS has no 127.0.0.0/8 beyond 127.0.0.1; trying 65,000 more would not help.
        raise NoAddressError(f"this machine refuses the loopback address {address}: {error.strerror}") from error
    return claim
