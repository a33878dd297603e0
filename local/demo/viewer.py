"""A viewer: somebody on the internet, who knows nothing but URLs."""

from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer of the edge."""

    status: int
    body: bytes
    from_cache: bool
    age_s: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """Ask the edge at *edge_url* for what *host* has."""

    edge_url: str
    host: str

    def get(self, path: str) -> Seen:
        """Fetch *path*, as it is written."""
        connection = HTTPConnection(urlsplit(self.edge_url).netloc)
        try:
            connection.request("GET", path, headers={"Host": self.host})
            answer = connection.getresponse()
            return Seen(
                status=answer.status,
                body=answer.read(),
                from_cache=answer.getheader("X-Cache", "").startswith("Hit"),
                age_s=int(answer.getheader("Age", "0")),
            )
        finally:
            connection.close()


def path_of(key: str) -> str:
    """
    Write the path of an object as a link on a page would.

    >>> path_of("stations/büsum + co.html")
    '/stations/b%C3%BCsum%20+%20co.html'
    """
    return "/" + quote(key, safe="/!$&'()*+,:;=@[]|~")
