"""Tests of local.edge.certificates."""

import ssl

import pytest

from local.edge.certificates import Certificates


@pytest.fixture
def certificates():
    return Certificates()


def shake_hands(certificates, name, *, trusting):
    """
    Let a viewer and the edge talk through memory until the viewer is content.
    """
    to_edge, to_viewer = ssl.MemoryBIO(), ssl.MemoryBIO()
    viewer_context = ssl.create_default_context(cadata=trusting.authority_pem.decode())
    viewer = viewer_context.wrap_bio(to_viewer, to_edge, server_hostname=name)
    edge = certificates.context.wrap_bio(to_edge, to_viewer, server_side=True)
    for _ in range(3):
        for side in (viewer, edge):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return viewer.getpeercert()


class TestContext:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("d111.cloudfront.net", "DNS"),
            ("WWW.example.com", "DNS"),
            ("localhost", "DNS"),
            ("127.0.0.1", "IP Address"),
        ],
    )
    def test_any_name(self, certificates, name, kind):
        """
        Whatever host a viewer wants to reach proves that it is that host.
        """
        shown = shake_hands(certificates, name, trusting=certificates)

        assert (kind, name.lower()) in shown["subjectAltName"]

    def test_kept(self, certificates):
        """
        A name has one certificate for as long as the edge runs.
        """
        first = shake_hands(certificates, "a.example.com", trusting=certificates)
        other = shake_hands(certificates, "b.example.com", trusting=certificates)
        again = shake_hands(certificates, "a.example.com", trusting=certificates)

        assert first["serialNumber"] == again["serialNumber"] != other["serialNumber"]

    def test_other_authority(self, certificates):
        """
        Who trusts another authority, of the same make, refuses.
        """
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(certificates, "a.example.com", trusting=Certificates())
