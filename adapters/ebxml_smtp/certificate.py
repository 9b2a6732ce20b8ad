"""The listener's certificate, which is renewed while it listens."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path


class Certificate:
    """The context for TLS, made of two PEM files. Raises OSError, of which SSLError is one, when they are none."""

    def __init__(self, certificate: Path, key: Path, warn: Callable[[str], None]) -> None:
        """`warn` is told in words when files that have changed cannot be used."""
        self._files, self._warn = (certificate, key), warn
        self._read = self._stamp()
        self._context = self._made()

    def context(self) -> ssl.SSLContext:
        """For a session that begins now. While two files are being replaced they do not fit: the old ones stay."""
        try:
            if (stamp := self._stamp()) != self._read:
                self._read = stamp
                self._context = self._made()
        except OSError as error:
            self._warn(f"{self._files[0]} and its key: {type(error).__name__}; those read before stay in use")
        return self._context

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        found = [file.stat() for file in self._files if file.exists()]
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)

    def _made(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(
            *self._files, password=""
        )  # a locked key is an error, and nobody is asked on a terminal
        return context
