"""Certificates for tests, made by the recipe that the product uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meshrelay.bearers.tls import Contexts, contexts
from meshrelay.cli import x509


@dataclass(frozen=True)
class Files:
    """Key, certificate and CA of one node, as in its `keys` directory."""

    key: Path
    certificate: Path
    ca: Path

    def contexts(self) -> Contexts:
        return contexts(self.key, self.certificate, self.ca)

    @property
    def spki_sha256(self) -> bytes:
        return x509.spki_sha256(self.certificate.read_bytes())


class CertificateAuthority:
    """The CA of one network in a directory of its own."""

    def __init__(self, directory: Path, network_name: str = "大阪市 訓練") -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._key = x509.make_key()
        self._ca = x509.make_ca(self._key, network_name)
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(self._ca)

    def node(self, name: str, common_name: str) -> Files:
        """A node certificate; `common_name` is the node id in hex."""
        key = x509.make_key()
        request = x509.make_request(key, common_name)
        return self._files(name, key, x509.sign_request(self._key, self._ca, request))

    def broker(self, host: str) -> Files:
        key = x509.make_key()
        certificate = x509.make_server(self._key, self._ca, key, "broker", [host])
        return self._files("broker", key, certificate)

    def _files(self, name: str, key: bytes, certificate: bytes) -> Files:
        key_path = self.directory / f"{name}.key"
        certificate_path = self.directory / f"{name}.crt"
        key_path.write_bytes(key)
        key_path.chmod(0o600)
        certificate_path.write_bytes(certificate)
        return Files(key_path, certificate_path, self.ca)
