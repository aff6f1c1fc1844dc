"""Hosts are who they say: their keys are those that ssh knows, which fsspec would not ask for."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import paramiko

_FILES: Final = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


class KnownHosts(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    """Lets a connection go on if ssh knows the key of the host."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Looks a host up.

        Args:
            client: that connects.
            hostname: "host", or "[host]:port" where that is not 22.
            key: that it showed.

        Raises:
            SSHException: the host is unknown, or has another key.
        """
        known = paramiko.HostKeys()
        for name in _FILES:
            with suppress(OSError, RuntimeError):  # RuntimeError: no home
                known.load(str(Path(name).expanduser()))
        if not known.check(hostname, key):
            fact = f"the {key.get_name()} key of {hostname} is not in known_hosts"
            raise paramiko.SSHException(f"{fact}; compare it, and connect with ssh once")
