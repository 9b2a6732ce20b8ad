"""How much room the server's disk has, where that can be known: from here, only when the server is on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import psycopg

from adapters.store.postgres.connect import Connection

#: Tells the free bytes of the disk that the store lies on.
Free = Callable[[], int]


def free_space(connection: Connection) -> Free | None:
    """None when it cannot be known: the server is elsewhere, or does not tell where its data lie."""
    row = connection.execute("SELECT host(inet_server_addr())").fetchone()
    address = row[0] if row else None
    if address is not None and not ip_address(address).is_loopback:
        return None
    try:
        found = connection.execute("SELECT current_setting('data_directory')").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    folder = Path(found[0]) if found else None
    try:
        if folder is None or shutil.disk_usage(folder).total == 0:
            return None
    except OSError:  # behind a port that leads elsewhere, or into a container
        return None
    return lambda: shutil.disk_usage(folder).free
