"""Which addresses a home that is bound to the sandbox may speak to; pure."""

import ipaddress
from urllib.parse import urlsplit


def is_inside(url: str) -> bool:
    """Whether a URL's host is a loopback address or localhost."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
