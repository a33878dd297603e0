"""Configurations are read once, lists when they may be out of date, secrets never."""

import pytest

from cdn.aws import rows
from cdn.errors import RetryLaterError
from cdn.invalidation import route_table
from local.cloudfront import ServiceError
from local.faults import Does, Rule

LISTS = ["ListDistributions", "ListCachePolicies"]
ALIAS = "photos-x1y2-s3alias"


@pytest.fixture
def read(ledger, account, time_source):
    def read(*, since_s=0.0, access_points=None):
        found = route_table.read(
            ledger,
            account.client,
            access_points=access_points or {},
            since_ms=int((time_source.s - since_s) * 1000),
            now=time_source,
        )
        return [distribution.id for distribution in found]

    return read


class TestRead:
    def test_first(self, read, account):
        """
        The first time, each distribution that serves a bucket is read.
        """
        one = account.distribute("one")
        account.distribute("api", domain_name="api.example.com")
        account.distribute("off", Enabled=False)

        assert read() == [one]
        assert account.new_calls() == [*LISTS, "GetDistributionConfig"]

    def test_unchanged(self, read, account, time_source):
        """
        A configuration is not read again while its ETag is the same.
        """
        one = account.distribute("one")
        read()
        account.new_calls()
        time_source.s += 60

        assert read() == [one]
        assert account.new_calls() == LISTS

    def test_shared(self, read, account, time_source):
        """
        Who needs nothing newer than the last list asks CloudFront nothing.
        """
        one = account.distribute("one")
        read()
        account.new_calls()
        time_source.s += 60

        assert read(since_s=61) == [one]
        assert account.new_calls() == []

    def test_updated(self, ledger, account, time_source):
        """
        A new configuration is in force with the next list.
        """

        def read():
            return route_table.read(
                ledger,
                account.client,
                access_points={},
                since_ms=time_source.now_ms(),
                now=time_source,
            )

        one = account.distribute("one")
        read()
        time_source.s += 1
        account.update(one, DefaultRootObject="start.html")

        (found,) = read()

        assert found.default_root_object == "start.html"

    def test_refreshed_in_between(self, ledger, account, time_source):
        """
        Where somebody else refreshes the table between two reads, no old configuration is used.
        """
        one = account.distribute("one")

        def read(table):
            return route_table.read(
                table, account.client, access_points={}, since_ms=since_ms, now=time_source
            )

        since_ms = time_source.now_ms()
        read(ledger)
        account.update(one, DefaultRootObject="start.html")

        class Refreshed:
            """The ledger, which another container refreshes after the first read."""

            def __init__(self):
                self.reads = 0

            def __getattr__(self, name):
                return getattr(ledger, name)

            def get(self, key):
                row = ledger.get(key)
                self._refresh()
                return row

            def query(self, keys):
                found = list(ledger.query(keys))
                self._refresh()
                return found

            def _refresh(self):
                self.reads += 1
                if self.reads == 1:
                    time_source.s += 60
                    read(ledger)

        (found,) = read(Refreshed())

        assert found.default_root_object == "start.html"

    def test_listed_later(self, read, ledger, account, time_source, faults):
        """
        An older list, written later, does not take the place of a newer one.
        """
        account.distribute("one")

        def list_later():
            time_source.s += 60
            read()

        faults.second_actor = list_later
        faults.rules.append(Rule(does=Does.SECOND_ACTOR_BEFORE, conditional=True))

        read()

        assert ledger.get(rows.distribution_list())["listed_at_ms"] == time_source.now_ms()

    def test_gone(self, read, ledger, account, time_source):
        """
        What is switched off is forgotten.
        """
        one, other = account.distribute("one"), account.distribute("other")
        read()
        account.update(one, Enabled=False)
        time_source.s += 1

        assert read() == [other]
        assert ledger.get(rows.distribution_config(one)) is None

    def test_row_lost(self, read, ledger, account):
        """
        A row that is named but not there is read again.
        """
        one = account.distribute("one")
        read()
        ledger.delete([rows.distribution_config(one)])

        assert read(since_s=60) == [one]

    def test_only_tenants(self, read, account):
        """
        A distribution that serves through tenants alone has nothing to invalidate.
        """
        account.distribute("tenants", ConnectionMode="tenant-only")

        assert read() == []

    def test_staging(self, read, account):
        """
        A staging distribution has a cache of its own, and counts as any other.
        """
        one = account.distribute("staging", Staging=True)

        assert read() == [one]

    @pytest.mark.parametrize(
        ("domain_name", "access_points"),
        [
            (f"{ALIAS}.s3.us-west-2.amazonaws.com", {}),
            (f"{ALIAS}.s3.us-west-2.amazonaws.com", {ALIAS: "photos"}),
            ("files.example.com", {"files.example.com": "photos"}),
        ],
    )
    def test_access_points(self, read, account, domain_name, access_points):
        """
        Access points count, declared or not, and whatever else is declared.
        """
        one = account.distribute("one", domain_name=domain_name)

        assert read(access_points=access_points) == [one]

    def test_no_secret(self, read, ledger, account):
        """
        What routes do not need of a configuration stays out of the ledger.
        """
        one = account.distribute("one")
        read()

        written = str(rows.unpack(ledger.get(rows.distribution_config(one))["config"]))

        assert "hush" not in written
        assert "site.s3" in written

    def test_query_strings(self, ledger, account, time_source):
        """
        A cache policy that takes query strings into its key counts from the next list on.
        """
        all_queries = "4cc15a8a-d715-48a4-82b8-cc0b614638fe"
        behavior = {
            "TargetOriginId": "site",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": all_queries,
        }
        account.distribute("one", DefaultCacheBehavior=behavior)

        (found,) = route_table.read(
            ledger, account.client, access_points={}, since_ms=time_source.now_ms(), now=time_source
        )

        assert found.behaviors[-1].query_strings

    def test_busy(self, read, account):
        """
        While CloudFront is busy, there is no plan.
        """
        account.core = Busy()

        with pytest.raises(RetryLaterError):
            read()


class Busy:
    def call(self, operation, parameters):
        raise ServiceError("Throttling", "Rate exceeded", status=400)
