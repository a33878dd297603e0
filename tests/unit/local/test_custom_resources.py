"""A custom resource's function gets requests and answers as with CloudFormation."""

import http.client
import random
from json import dumps
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from local.cloudformation import Physical
from local.custom_resources import CustomResourceError, CustomResources
from local.function import Function, Outcome

FUNCTION = Function(
    name="issue_badge",
    logical_id="IssueBadge",
    physical_name="stack-IssueBadge",
    folder=Path(),
    handler="app.lambda_handler",
    timeout_s=3,
    memory_mb=128,
    environment={},
)
STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/stack/local"


def put(event, body, method="PUT", target=None, **headers):
    url = urlsplit(event["ResponseURL"])
    connection = http.client.HTTPConnection(url.netloc, timeout=5)
    target = target or f"{url.path}?{url.query}"
    connection.request(method, target, body, {"Content-Type": "", **headers})
    status = connection.getresponse().status
    connection.close()
    return status


def answer(event, **changes):
    copied = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    usual = {"Status": "SUCCESS", "PhysicalResourceId": "badge-7", "Data": {"Number": 7}}
    return copied | usual | changes


class Service:
    """What the function does, and the requests that it got."""

    def __init__(self):
        self.requests = []
        self.waited = []
        self.do = lambda event: put(event, dumps(answer(event)))
        self.errors = []

    def call(self, function, event):
        assert function == FUNCTION
        self.requests.append(event)
        self.do(event)
        return Outcome(error=self.errors.pop(0) if self.errors else None)


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def resources(service):
    return CustomResources(call=service.call, wait=service.waited.append, random=random.Random(0))


@pytest.fixture
def create(resources):
    def do(**properties):
        return resources.create(
            "Badge",
            stack_id=STACK_ID,
            kind="Custom::Badge",
            function=FUNCTION,
            properties={"ServiceToken": FUNCTION.arn, "Holder": "ada", **properties},
        )

    return do


class TestCreate:
    def test_event(self, create, service):
        """
        The event is CloudFormation's, and all values in its properties are texts.
        """
        create(Level=3, Guest=True, Doors=[1, {"a": 2.5}])

        (event,) = service.requests
        url, request_id = event.pop("ResponseURL"), event.pop("RequestId")
        assert len(request_id) == 36
        assert unquote(urlsplit(url).path) == f"/{STACK_ID}|Badge|{request_id}"
        assert event == {
            "RequestType": "Create",
            "ServiceToken": FUNCTION.arn,
            "StackId": STACK_ID,
            "ResourceType": "Custom::Badge",
            "LogicalResourceId": "Badge",
            "ResourceProperties": {
                "ServiceToken": FUNCTION.arn,
                "Holder": "ada",
                "Level": "3",
                "Guest": "true",
                "Doors": ["1", {"a": "2.5"}],
            },
        }

    def test_answer(self, create):
        """
        The physical id is what references give, and the data are the attributes.
        """
        assert create() == Physical("badge-7", {"Number": "7"})

    def test_first_answer(self, create, service):
        """
        The first answer counts.
        """

        def twice(event):
            put(event, dumps(answer(event)))
            put(event, dumps(answer(event, Status="FAILED", Reason="late")))

        service.do = twice

        assert create().ref == "badge-7"

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"Status": "FAILED", "Reason": "no paper"}, "Badge: Create failed: no paper"),
            ({"Status": "FAILED"}, "FAILED with a Reason"),
            ({"Status": "Success"}, "Status is SUCCESS"),
            ({"PhysicalResourceId": ""}, "1 to 1,024 bytes"),
            ({"PhysicalResourceId": "x" * 1025}, "1 to 1,024 bytes"),
            ({"PhysicalResourceId": None}, "1 to 1,024 bytes"),
            ({"RequestId": "other"}, "must copy RequestId"),
            ({"StackId": "other"}, "must copy StackId"),
            ({"LogicalResourceId": "other"}, "must copy LogicalResourceId"),
            ({"Data": {"Long": "x" * 4096}}, "at most 4096 bytes"),
        ],
    )
    def test_refused(self, create, service, changes, says):
        """
        A failure is reported with its reason, as is an answer that CloudFormation would not take.
        """
        service.do = lambda event: put(event, dumps(answer(event, **changes)))

        with pytest.raises(CustomResourceError, match=says):
            create()

    @pytest.mark.parametrize("body", ["", "SUCCESS", "[]"])
    def test_no_json(self, create, service, body):
        """
        So is what is no JSON object.
        """
        service.do = lambda event: put(event, body)

        with pytest.raises(CustomResourceError, match="Badge: the answer is no JSON"):
            create()

    def test_silent(self, create, service):
        """
        A function that ends well without an answer is named, and not asked again.
        """
        service.do = lambda event: None

        with pytest.raises(CustomResourceError, match="issue_badge did not answer to Create"):
            create()

        assert len(service.requests) == 1

    @pytest.mark.parametrize(
        ("how", "status"),
        [
            ({"method": "POST"}, 405),
            ({"target": "/other"}, 403),
            ({"Content-Type": "application/json"}, 403),
        ],
    )
    def test_other_requests(self, create, service, how, status):
        """
        The presigned URL takes only what it was signed for.
        """
        seen = []
        service.do = lambda event: seen.append(put(event, dumps(answer(event)), **how))

        with pytest.raises(CustomResourceError, match="did not answer"):
            create()

        assert seen == [status]

    def test_tried_again(self, create, service):
        """
        What ended in an error is run again with the same event, after a minute and after two.
        """
        service.do = lambda event: len(service.requests) == 3 and put(event, dumps(answer(event)))
        service.errors = ["crashed", "crashed"]

        assert create().ref == "badge-7"

        assert service.waited == [60, 120]
        assert service.requests == [service.requests[0]] * 3

    def test_never(self, create, service):
        """
        After the third time its error is the reason.
        """
        service.do = lambda event: None
        service.errors = ["crashed"] * 4

        with pytest.raises(CustomResourceError, match="did not answer to Create: crashed"):
            create()

        assert len(service.requests) == 3


class TestSend:
    def test_update(self, create, resources, service):
        """
        An update tells the physical id, and the properties as they are and as they were.
        """
        create(Level=3, Guest=True)

        resources.send("Badge", "Update", {"Level": 4, "Guest": None})
        resources.send("Badge", "Update", {"Holder": "eve"})

        _, first, second = service.requests
        before = {"ServiceToken": FUNCTION.arn, "Holder": "ada", "Level": "3", "Guest": "true"}
        after = {"ServiceToken": FUNCTION.arn, "Holder": "ada", "Level": "4"}
        assert first["PhysicalResourceId"] == "badge-7"
        assert first["OldResourceProperties"] == before
        assert first["ResourceProperties"] == second["OldResourceProperties"] == after
        assert second["ResourceProperties"] == after | {"Holder": "eve"}

    def test_replaced(self, create, resources, service):
        """
        An update that answers with another physical id is followed by the deletion of the old.
        """
        create()
        service.do = lambda event: put(event, dumps(answer(event, PhysicalResourceId="badge-8")))

        assert resources.send("Badge", "Update", {"Holder": "eve"}).ref == "badge-8"

        delete = service.requests[-1]
        assert (delete["RequestType"], delete["PhysicalResourceId"]) == ("Delete", "badge-7")
        assert delete["ResourceProperties"]["Holder"] == "ada"
        resources.send("Badge", "Delete", {})
        assert service.requests[-1]["PhysicalResourceId"] == "badge-8"

    def test_failed_update(self, create, resources, service):
        """
        After an update that failed the resource is as it was.
        """
        create()
        service.do = lambda event: put(event, dumps(answer(event, Status="FAILED", Reason="no")))

        with pytest.raises(CustomResourceError, match="Badge: Update failed: no"):
            resources.send("Badge", "Update", {"Holder": "eve"})
        service.do = lambda event: put(event, dumps(answer(event)))
        resources.send("Badge", "Delete", {})

        assert service.requests[-1]["ResourceProperties"]["Holder"] == "ada"

    def test_create_again(self, create, resources, service):
        """
        What is created again has no physical id yet, and another request's id.
        """
        create()

        resources.send("Badge", "Create", {})

        first, second = service.requests
        assert "PhysicalResourceId" not in second
        assert first["RequestId"] != second["RequestId"]

    @pytest.mark.parametrize(
        ("logical_id", "request_type", "says"),
        [("Nothing", "Update", "no custom resource Nothing"), ("Badge", "Drop", "Drop is no")],
    )
    def test_unknown(self, create, resources, logical_id, request_type, says):
        """
        What is not there, or no request, is refused by its name.
        """
        create()

        with pytest.raises(CustomResourceError, match=says):
            resources.send(logical_id, request_type, {})
