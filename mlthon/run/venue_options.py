"""What the command line says of a simulated venue beside its market: what goes wrong there, and its certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

from mlthon.errors import ConfigError
from mlthon.venues.bybit.seams import FaultSeams

__all__ = ["open_faults", "server_tls"]


def open_faults(path: Path | None) -> FaultSeams | None:
    """The faults of a plan's file, None where there is none; raises ConfigError, which says what is wrong."""
    if path is None:
        return None
    # Who plans no faults does not wait for pydantic.
    from mlthon.venues.bybit.faults import BybitFaults  # noqa: PLC0415
    from mlthon.venues.faults import load_plan  # noqa: PLC0415

    return BybitFaults(load_plan(path))


def server_tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """What a server needs for https and wss, None without a certificate; raises ConfigError."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("expected both --tls-cert and --tls-key, or neither, got one of them")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        what = error.strerror or str(error)
        raise ConfigError(f"--tls-cert {certificate}, --tls-key {key}: {what}") from error
    return context
