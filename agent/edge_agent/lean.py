"""Imported before anything else of the agent: keeps out what its libraries would take for nothing.

structlog imports rich and pygments (5 MiB) wherever they are installed, to draw tracebacks on a terminal; shutil imports bz2 and
lzma for archives. aiohttp reads all of the system's certificates (2.5 MiB) when it is imported, for a TLS context that nobody here
uses: the ways to the cluster and to the hub make their own. asyncio gives each TLS connection a buffer of 256 KiB, of which a
record fills 16: with a watch for each kind in use and requests at a time, several MiB.
"""

import os
import sys
from asyncio import sslproto

_NEVER_USED = ("rich", "bz2", "lzma")
_TLS_BUFFER_BYTES = 32 << 10
# Two records.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# OpenSSL's names for where the system's certificates are.

for _name in _NEVER_USED:
    # A module of None is an ImportError to whoever asks for it, which these importers expect.
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]

# An attribute of the class from Python 3.11 on; where there is none, setting it changes nothing.
sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES

_set = {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}
os.environ.update(dict.fromkeys(_CERTIFICATES, os.devnull))
try:
    import aiohttp  # noqa: F401 imported here, while there are no certificates to read
finally:
    for _name in _CERTIFICATES:
        del os.environ[_name]
    os.environ.update(_set)
