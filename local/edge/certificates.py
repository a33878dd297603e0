"""The edge's certificates: of its own authority, for whatever name a viewer asks for."""

import base64
import hashlib
import ssl
import threading

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# Who names no host reaches the edge by its address.
_OWN_NAMES = ("localhost", "127.0.0.1")


class Certificates:
    """
    Certificates are made when a name is first asked for, which takes half a millisecond.

    Attributes:
        context:
            Takes any viewer's connection; the name that it asks for chooses the certificate.
    """

    def __init__(self) -> None:
        self._authority = trustme.CA()
        # A viewer is sent this one's certificate too, so that he can know it by its key.
        self._issuer = self._authority.create_child_ca()
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.context = self._make(*_OWN_NAMES)
        self.context.sni_callback = self._choose

    @property
    def authority_pem(self) -> bytes:
        """What a viewer must trust, for instance through SSL_CERT_FILE."""
        return self._authority.cert_pem.bytes()

    @property
    def issuer_pin(self) -> str:
        """The SHA-256 digest, in base64, of the public key that vouches for all certificates."""
        issuer = x509.load_pem_x509_certificate(self._issuer.cert_pem.bytes())
        spki = PublicFormat.SubjectPublicKeyInfo
        key = issuer.public_key().public_bytes(Encoding.DER, spki)
        return base64.b64encode(hashlib.sha256(key).digest()).decode()

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _first: ssl.SSLContext
    ) -> None:
        if name is not None:
            connection.context = self._context_of(name.lower())

    def _context_of(self, name: str) -> ssl.SSLContext:
        with self._lock:
            if name not in self._contexts:
                self._contexts[name] = self._make(name)
            return self._contexts[name]

    def _make(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        self._issuer.issue_cert(*names).configure_cert(context)
        return context
