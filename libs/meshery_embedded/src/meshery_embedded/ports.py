"""Ports of the loopback address.

A port found free can be taken before the server binds it; whoever starts a server on one tries
again with another when the server's log says so.
"""

import socket

LOOPBACK = "127.0.0.1"
# What PostgreSQL, NATS and Go's net package say when a port is taken.
_TAKEN_WORDS = ("address already in use",)


def free_port(wished: int = 0, *, tries: int = 100) -> int:
    """Give `wished` when nobody listens there, else the next free one; 0 gives any.

    Raises OSError when none of `tries` ports is free.
    """
    if wished == 0:
        with socket.socket() as any_port:
            any_port.bind((LOOPBACK, 0))
            return int(any_port.getsockname()[1])
    for port in range(wished, min(wished + tries, 65_536)):
        if is_free(port):
            return port
    raise OSError(f"no free port from {wished} to {wished + tries - 1} on {LOOPBACK}")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as candidate:
        # As servers do: a port in TIME_WAIT is free.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def says_port_taken(log: str) -> bool:
    """Whether a server's log lines say that its port belongs to another."""
    lowered = log.lower()
    return any(words in lowered for words in _TAKEN_WORDS)
