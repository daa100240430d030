"""Ports on loopback for the benches."""

import socket


def free_ports(count):
    """Ports that nobody listens on; all are held until the last is known, so that none is told twice."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in held]
    for sock in held:
        sock.close()
    return ports
