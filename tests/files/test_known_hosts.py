from pathlib import Path

import pytest

pytest.importorskip("paramiko", reason="needs the extra cloud")

import paramiko

from concertclean.files.known_hosts import KnownHosts


def test_only_hosts_that_ssh_knows_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    key, other = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    client, policy = paramiko.SSHClient(), KnownHosts()
    with pytest.raises(paramiko.SSHException, match=r"key of \[host\]:2222 is not in known_hosts"):
        policy.missing_host_key(client, "[host]:2222", key)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(f"[host]:2222 {key.get_name()} {key.get_base64()}\n")
    policy.missing_host_key(client, "[host]:2222", key)
    for name, shown in (("[host]:2222", other), ("host", key)):
        with pytest.raises(paramiko.SSHException):
            policy.missing_host_key(client, name, shown)
