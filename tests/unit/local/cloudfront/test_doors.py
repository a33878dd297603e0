"""Tests of local.cloudfront.doors: both give exactly what the core gives."""

import http.client
from random import Random

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from botocore.waiter import WaiterModel, create_waiter_with_client
from moto import mock_aws
from moto.cloudfront import urls
from moto.core import parse, request, routing, serialize

from local.cloudfront import CloudFront, Lags, Quotas, ServiceError, doors, model


def batch(reference, *items):
    return {"CallerReference": reference, "Paths": {"Quantity": len(items), "Items": list(items)}}


class Script:
    """
    Asks, lets time pass, and writes down each answer and each error.
    """

    def __init__(self, call, virtual_time):
        self.call, self.virtual_time, self.log = call, virtual_time, []

    def __call__(self, operation, **parameters):
        self.virtual_time.seconds += 1.25
        try:
            answer = self.call(operation, parameters)
        except ServiceError as error:
            answer = {"refused": (error.code, error.message, error.status)}
        self.log.append((operation, answer))
        return answer


def every_operation(call, virtual_time, config, pems):
    """
    Do all that the stand-in can do, errors included.
    """
    ask = Script(call, virtual_time)
    first = ask_for_distributions(ask, config)
    ask_for_tags(ask, first["ARN"])
    ask_for_invalidations(ask, first["Id"])
    ask_for_changes(ask, first["Id"])
    ask_for_cache_policies(ask)
    ask_for_response_headers_policies(ask)
    ask_for_keys(ask, config, pems)
    ask("ListFunctions")
    return ask.log


def ask_for_distributions(ask, config):
    config["Comment"] = " ü & <b>\"quoted\"</b>\n'two' lines "
    config["Aliases"] = {"Quantity": 2, "Items": ["www.example.com", "*.example.org"]}
    config["CacheBehaviors"] = {"Quantity": 0, "Items": []}
    config["DefaultCacheBehavior"]["Compress"] = True
    config["CacheTagConfig"] = {"HeaderName": "x-amz-meta-cache-tag"}
    first = ask("CreateDistribution", DistributionConfig=config)["Distribution"]
    ask("CreateDistribution", DistributionConfig=config)
    ask("GetDistribution", Id=first["Id"])
    ask("GetDistribution", Id="E0")
    tags = {"Items": [{"Key": "team", "Value": "web & co"}, {"Key": "empty"}]}
    second = config | {"CallerReference": "second", "Aliases": {"Quantity": 0}}
    both = {"DistributionConfig": second, "Tags": tags}
    made = ask("CreateDistributionWithTags", DistributionConfigWithTags=both)["Distribution"]
    ask("ListTagsForResource", Resource=made["ARN"])
    ask("ListDistributions")
    page = ask("ListDistributions", MaxItems="1")["DistributionList"]
    ask("ListDistributions", MaxItems="1", Marker=page["NextMarker"])
    ask("ListDistributions", MaxItems="none")
    return first


def ask_for_tags(ask, arn):
    ask("ListTagsForResource", Resource=arn)
    ask("TagResource", Resource=arn, Tags={"Items": [{"Key": "team", "Value": "ops"}]})
    ask("ListTagsForResource", Resource=arn)
    ask("UntagResource", Resource=arn, TagKeys={"Items": ["team", "empty"]})
    ask("ListTagsForResource", Resource=arn)
    ask("ListTagsForResource", Resource="arn:aws:cloudfront::123456789012:distribution/E0")


def ask_for_invalidations(ask, distribution_id):
    def create(reference, *items):
        sent = batch(reference, *items)
        return ask("CreateInvalidation", DistributionId=distribution_id, InvalidationBatch=sent)

    ask("ListInvalidations", DistributionId=distribution_id)
    for number in range(4):
        create(f"r{number}", "/", f"/a&b/{number}?x=<1>", "/%C3%BC*", "#Tag-1", " /ü")
        create(f"s{number}", "/", f"/a&b/{number}?x=<1>", "/%C3%BC*", "#Tag-1", "/ü ")
    kept = create("r", "/x")["Invalidation"]
    create("r", "/x")
    create("r", "/y")
    create("t", *[f"/{number}" for number in range(2_501)])
    ask("CreateInvalidation", DistributionId="E0", InvalidationBatch=batch("r", "/y"))
    ask("GetInvalidation", DistributionId=distribution_id, Id=kept["Id"])
    ask("GetInvalidation", DistributionId=distribution_id, Id="I0")
    page = ask("ListInvalidations", DistributionId=distribution_id, MaxItems="3")
    marker = page["InvalidationList"]["NextMarker"]
    ask("ListInvalidations", DistributionId=distribution_id, Marker=marker)
    ask("GetDistribution", Id=distribution_id)


def ask_for_changes(ask, distribution_id):
    got = ask("GetDistributionConfig", Id=distribution_id)
    off = got["DistributionConfig"] | {"Enabled": False}
    ask("UpdateDistribution", Id=distribution_id, DistributionConfig=off)
    ask("UpdateDistribution", Id=distribution_id, DistributionConfig=off, IfMatch=got["ETag"])
    ask("UpdateDistribution", Id=distribution_id, DistributionConfig=off, IfMatch=got["ETag"])
    etag = ask("GetDistribution", Id=distribution_id)["ETag"]
    ask("DeleteDistribution", Id=distribution_id, IfMatch=etag)
    ask.virtual_time.seconds += 200
    ask("DeleteDistribution", Id=distribution_id, IfMatch=etag)
    ask("DeleteDistribution", Id=distribution_id, IfMatch=etag)


def ask_for_cache_policies(ask):
    policy = {
        "Name": "by-language",
        "MinTTL": 1,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True,
            "HeadersConfig": {
                "HeaderBehavior": "whitelist",
                "Headers": {"Quantity": 1, "Items": ["Accept-Language"]},
            },
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        },
    }
    made = ask("CreateCachePolicy", CachePolicyConfig=policy)
    identity = made["CachePolicy"]["Id"]
    ask("CreateCachePolicy", CachePolicyConfig=policy)
    ask("GetCachePolicy", Id=identity)
    ask("GetCachePolicyConfig", Id=identity)
    ask("GetCachePolicy", Id="none")
    ask("ListCachePolicies")
    ask("ListCachePolicies", Type="custom", MaxItems="1")
    wrong = policy | {"MinTTL": 9, "DefaultTTL": 3}
    ask("UpdateCachePolicy", Id=identity, CachePolicyConfig=wrong, IfMatch=made["ETag"])
    longer = policy | {"MinTTL": 100_000}
    made = ask("UpdateCachePolicy", Id=identity, CachePolicyConfig=longer, IfMatch=made["ETag"])
    ask("DeleteCachePolicy", Id=identity, IfMatch=made["ETag"])
    ask("ListCachePolicies", Type="custom")


def ask_for_response_headers_policies(ask):
    policy = {
        "Name": "pages",
        "CorsConfig": {
            "AccessControlAllowOrigins": {"Quantity": 1, "Items": ["https://app.example.com"]},
            "AccessControlAllowHeaders": {"Quantity": 1, "Items": ["Range"]},
            "AccessControlAllowMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
            "AccessControlAllowCredentials": True,
            "AccessControlMaxAgeSec": 60,
            "OriginOverride": True,
        },
    }
    made = ask("CreateResponseHeadersPolicy", ResponseHeadersPolicyConfig=policy)
    identity = made["ResponseHeadersPolicy"]["Id"]
    ask("CreateResponseHeadersPolicy", ResponseHeadersPolicyConfig=policy)
    more = policy | {"SecurityHeadersConfig": {"ContentTypeOptions": {"Override": True}}}
    ask("CreateResponseHeadersPolicy", ResponseHeadersPolicyConfig=more | {"Name": "more"})
    ask("GetResponseHeadersPolicy", Id=identity)
    ask("GetResponseHeadersPolicyConfig", Id=identity)
    ask("GetResponseHeadersPolicy", Id="none")
    ask("ListResponseHeadersPolicies", Type="custom")
    ask("ListResponseHeadersPolicies", Type="managed")
    other = policy | {"Comment": "other"}
    sent = {"ResponseHeadersPolicyConfig": other, "IfMatch": made["ETag"]}
    made = ask("UpdateResponseHeadersPolicy", Id=identity, **sent)
    ask("DeleteResponseHeadersPolicy", Id=identity, IfMatch=made["ETag"])


def ask_for_keys(ask, config, pems):
    ids = []
    for name, pem in pems.items():
        sent = {"CallerReference": name, "Name": name, "EncodedKey": pem, "Comment": "<ü & b>"}
        made = ask("CreatePublicKey", PublicKeyConfig=sent)
        ids.append(made["PublicKey"]["Id"])
    ask("CreatePublicKey", PublicKeyConfig=sent)
    ask("CreatePublicKey", PublicKeyConfig=sent | {"Name": "junk", "EncodedKey": "junk"})
    ask("GetPublicKey", Id=ids[0])
    ask("GetPublicKeyConfig", Id=ids[0])
    ask("GetPublicKey", Id="K0")
    ask("ListPublicKeys", MaxItems="1")
    renamed = sent | {"Name": "other"}
    ask("UpdatePublicKey", Id=ids[1], PublicKeyConfig=renamed, IfMatch=made["ETag"])
    more = sent | {"Comment": ""}
    made = ask("UpdatePublicKey", Id=ids[1], PublicKeyConfig=more, IfMatch=made["ETag"])

    ask("ListKeyGroups")
    group = {"Name": "readers", "Items": ids}
    held = ask("CreateKeyGroup", KeyGroupConfig=group)
    group_id = held["KeyGroup"]["Id"]
    ask("CreateKeyGroup", KeyGroupConfig=group)
    ask("GetKeyGroup", Id=group_id)
    ask("GetKeyGroupConfig", Id=group_id)
    ask("GetKeyGroup", Id="none")
    ask("ListKeyGroups")
    ask("ListDistributionsByKeyGroup", KeyGroupId=group_id)
    ask("ListDistributionsByKeyGroup", KeyGroupId="none")
    trusting = config["DefaultCacheBehavior"] | {
        "TrustedKeyGroups": {"Enabled": True, "Quantity": 1, "Items": [group_id]}
    }
    private = config | {
        "CallerReference": "private",
        "Aliases": {"Quantity": 0},
        "DefaultCacheBehavior": trusting,
    }
    ask("CreateDistribution", DistributionConfig=private)
    ask("ListDistributionsByKeyGroup", KeyGroupId=group_id, MaxItems="1")
    ask("DeleteKeyGroup", Id=group_id, IfMatch=held["ETag"])
    less = {"Name": "readers", "Items": ids[:1], "Comment": "one"}
    ask("UpdateKeyGroup", Id=group_id, KeyGroupConfig=less)
    ask("UpdateKeyGroup", Id=group_id, KeyGroupConfig=less, IfMatch=held["ETag"])
    ask("UpdateKeyGroup", Id=group_id, KeyGroupConfig=less, IfMatch=held["ETag"])
    unused = ask("CreateKeyGroup", KeyGroupConfig={"Name": "nobody", "Items": ids[:1]})
    ask("DeleteKeyGroup", Id=unused["KeyGroup"]["Id"], IfMatch=unused["ETag"])
    ask("DeletePublicKey", Id=ids[0], IfMatch=made["ETag"])
    ask("DeletePublicKey", Id=ids[1], IfMatch=made["ETag"])
    ask("DeletePublicKey", Id=ids[1], IfMatch=made["ETag"])


@pytest.fixture
def log(call, virtual_time, config, pems):
    return every_operation(call, virtual_time, config, pems)


class TestBoth:
    def test_same_as_the_core(self, log, virtual_time, config, pems):
        """
        Answers, errors and statuses through a door equal the core's, member by member.
        """
        virtual_time.seconds = 1_700_000_000.5
        quotas = Quotas(distributions=3, cache_policies=2, items_per_request=2_500)
        alone = CloudFront(now=virtual_time, random=Random(7), lags=Lags(), quotas=quotas)

        expected = every_operation(alone.call, virtual_time, config, pems)

        assert expected == log

    def test_answers_fit_the_model(self, log):
        """
        No answer has a member, a type or a gap that botocore's output shape does not know.
        """
        for operation, answer in log:
            shape = model.operation(operation).output_shape
            if "refused" not in answer and shape is not None:
                report = ParamValidator().validate(answer, shape)

                assert not report.has_errors(), (operation, report.generate_report())

    def test_answers_are_whole(self, log):
        """
        Every operation answers at least once without refusing, and with something to read.
        """
        for operation, answer in log:
            if "refused" not in answer and model.operation(operation).output_shape is not None:
                assert answer, operation

    def test_all_operations(self, log, core):
        """
        The contract covers every operation that the stand-in has.
        """
        assert core.operations == {
            operation for operation, answer in log if "refused" not in answer
        }

    @pytest.mark.parametrize("door", ["http_client", "event_client"])
    def test_what_it_lacks(self, request, door):
        """
        An operation without a stand-in is refused by name, never answered with nothing.
        """
        client = request.getfixturevalue(door)

        with pytest.raises(ClientError) as refused:
            client.list_functions()

        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
        assert refused.value.response["Error"] == {
            "Code": "NotImplemented",
            "Message": "The stand-in does not know ListFunctions.",
            "Type": "Receiver",
        }

    @pytest.mark.parametrize("door", ["http_client", "event_client"])
    def test_error_classes(self, request, door):
        """
        An error response arrives as the client's own exception class.
        """
        client = request.getfixturevalue(door)

        with pytest.raises(client.exceptions.NoSuchDistribution):
            client.get_distribution(Id="E0")

    @pytest.mark.parametrize("door", ["http_client", "event_client"])
    def test_paginator(self, request, door, core, virtual_time, distribution):
        """
        boto3's own paginator reads all pages of invalidations, newest first.
        """
        client = request.getfixturevalue(door)
        for number in range(7):
            virtual_time.seconds += 30
            core.call(
                "CreateInvalidation",
                {
                    "DistributionId": distribution["Id"],
                    "InvalidationBatch": batch(f"r{number}", "/x"),
                },
            )

        pages = client.get_paginator("list_invalidations").paginate(
            DistributionId=distribution["Id"], PaginationConfig={"PageSize": 3}
        )
        times = [item["CreateTime"] for page in pages for item in page["InvalidationList"]["Items"]]

        assert len(times) == 7
        assert sorted(times, reverse=True) == times

    @pytest.mark.parametrize("door", ["http_client", "event_client"])
    def test_acceptors(self, request, door, core, virtual_time, distribution):
        """
        The acceptors of boto3's waiters match when the time has come, and not before.
        """
        client = request.getfixturevalue(door)
        made = core.call(
            "CreateInvalidation",
            {"DistributionId": distribution["Id"], "InvalidationBatch": batch("r", "/x")},
        )
        deployed = client.get_waiter("distribution_deployed").config.acceptors[0]
        completed = client.get_waiter("invalidation_completed").config.acceptors[0]

        seen = []
        for seconds in (0, 20, 160):
            virtual_time.seconds += seconds
            one = client.get_distribution(Id=distribution["Id"])
            two = client.get_invalidation(
                DistributionId=distribution["Id"], Id=made["Invalidation"]["Id"]
            )
            seen.append((deployed.matcher_func(one), completed.matcher_func(two)))

        assert seen == [(False, False), (False, True), (True, True)]

    @pytest.mark.parametrize("door", ["http_client", "event_client"])
    def test_waiter(self, request, door, virtual_time, distribution):
        """
        A waiter of boto3 that does not pause ends on its own.
        """
        client = request.getfixturevalue(door)
        virtual_time.seconds += 180

        client.get_waiter("distribution_deployed").wait(
            Id=distribution["Id"], WaiterConfig={"Delay": 0, "MaxAttempts": 1}
        )


class TestAttach:
    def test_parameters_are_checked(self, event_client):
        """
        Botocore still refuses what it would not send.
        """
        with pytest.raises(ParamValidationError):
            event_client.create_invalidation(DistributionId="E0")

    @pytest.mark.parametrize("event", ["before-call", "before-call.cloudfront.ListDistributions"])
    def test_faults_come_first(self, event_client, event):
        """
        A handler that is registered later, without a say in its order, answers before the core.
        """
        fault = {"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}

        def throttle(**_rest):
            return AWSResponse("", 400, HTTPHeaders(), None), dict(fault)

        event_client.meta.events.register(event, throttle)

        with pytest.raises(ClientError, match="Rate exceeded"):
            event_client.list_distributions()

    def test_other_services(self, core):
        """
        The clients of other services go their own way.
        """
        session = boto3.Session()
        doors.attach(session.events, core)
        client = session.client(
            "sqs",
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            endpoint_url="http://127.0.0.1:9",
            config=Config(retries={"total_max_attempts": 1}),
        )

        with pytest.raises(EndpointConnectionError):
            client.list_queues()

    def test_one_client(self, core):
        """
        It is enough to attach to one client's events, and to detach again.
        """
        client = boto3.client(
            "cloudfront",
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            endpoint_url="http://127.0.0.1:9",
            config=Config(retries={"total_max_attempts": 1}),
        )
        detach = doors.attach(client.meta.events, core)
        assert client.list_distributions()["DistributionList"]["Quantity"] == 0

        detach()

        with pytest.raises(EndpointConnectionError):
            client.list_distributions()


class TestMountOnMoto:
    def test_in_process(self, core, distribution):
        """
        What is mounted answers under mock_aws as well.
        """
        unmount = doors.mount_on_moto(core)
        with mock_aws():
            client = boto3.client("cloudfront", aws_access_key_id="a", aws_secret_access_key="b")
            found = client.list_distributions()["DistributionList"]["Items"]
        unmount()

        assert [distribution["Id"]] == [item["Id"] for item in found]

    def test_retries(self, http_client):
        """
        Over HTTP an error response says how often botocore asked.
        """
        with pytest.raises(ClientError) as refused:
            http_client.list_functions()

        assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0

    def test_unmount(self, core):
        """
        Moto's own routes come back.
        """
        before = dict(urls.url_paths)

        doors.mount_on_moto(core)()

        assert before == urls.url_paths

    def test_malformed(self, http_client):
        """
        A body that is no XML is CloudFront's error, not the server's.
        """
        address = http_client.meta.endpoint_url.removeprefix("http://")
        scope = "AWS4-HMAC-SHA256 Credential=a/1/us-east-1/cloudfront/x"
        connection = http.client.HTTPConnection(address)
        connection.request(
            "POST",
            "/2020-05-31/distribution",
            body=b"<no",
            headers={"Content-Type": "text/xml", "Authorization": scope},
        )
        answer = connection.getresponse()
        body = answer.read()
        connection.close()

        assert answer.status == 400
        assert b"<Code>MalformedXML</Code>" in body


class TestPrivateHooks:
    """
    What moto promises nobody, and the door leans on.
    """

    def test_router(self):
        """
        Moto finds the operation and the path's parameters from botocore's model.
        """
        asked = request.Request.from_primitives(
            "GET", "https://cloudfront.amazonaws.com/2020-05-31/distribution/E1/config", {}
        )

        operation, in_path = routing.get_service_router("cloudfront").match(asked)

        assert isinstance(operation, OperationModel)
        assert (operation.name, in_path) == ("GetDistributionConfig", {"Id": "E1"})

    def test_query(self):
        """
        Moto tells operations apart that differ in the query alone.
        """
        url = "https://cloudfront.amazonaws.com/2020-05-31/distribution?WithTags"
        asked = request.Request.from_primitives("POST", url, {}, b"")

        operation, _ = routing.get_service_router("cloudfront").match(asked)

        assert operation.name == "CreateDistributionWithTags"

    def test_parser(self):
        """
        Moto has a parser for the protocol, made from an operation.
        """
        assert issubclass(parse.PROTOCOL_PARSERS["rest-xml"], parse.RequestParser)

    def test_writer(self):
        """
        Made without a picker, moto's writer reads members by their own names alone.
        """
        operation, _ = routing.get_service_router("cloudfront").match(
            request.Request.from_primitives(
                "GET", "https://cloudfront.amazonaws.com/2020-05-31/distribution/E1/config", {}
            )
        )
        writer = serialize.get_serializer_class("cloudfront", "rest-xml")(operation)

        written = writer.serialize({"ETag": "E2", "DistributionConfig": {"Enabled": True}})

        assert written["headers"] == {"ETag": "E2", "Content-Type": "application/xml"}
        assert "<Enabled>true</Enabled>" in written["body"]

    def test_routes(self):
        """
        Moto reads the service's routes from one dictionary, with a place for the host.
        """
        assert all(route.startswith("{0}/2020-05-31/") for route in urls.url_paths)


def test_own_waiters(event_client, virtual_time, distribution):
    """
    Waiters of our own making run by botocore's evaluator here too.
    """
    described = {
        "version": 2,
        "waiters": {
            "Gone": {
                "operation": "GetDistribution",
                "delay": 0,
                "maxAttempts": 1,
                "acceptors": [
                    {"matcher": "error", "expected": "NoSuchDistribution", "state": "success"}
                ],
            }
        },
    }

    create_waiter_with_client("Gone", WaiterModel(described), event_client).wait(Id="E0")
