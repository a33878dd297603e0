"""`autopilot release` says what is held, and lets it go once."""

import io
import json

import pytest

from cdn.aws import rows
from commands import held
from commands.account import Stack
from commands.output import Output
from tests.local import suite


@pytest.fixture
def cloud():
    with suite.running(parameters={"UploadBuckets": "site", "DailyItems": "3"}) as cloud:
        yield cloud


@pytest.fixture
def stack(cloud):
    return Stack(
        name="my-stack",
        client=cloud.world.client,
        parameters={"UploadBuckets": "site,other"},
        queue_urls={},
        outputs=cloud.world.outputs,
    )


def upload(cloud, *numbers):
    suite.upload(cloud, *(f"{number}/page.html" for number in numbers))
    cloud.world.run(limit_s=60)


def release(cloud, stack, *, as_json=False):
    """Release as the command does; return what is held, and what is printed."""
    stdout = io.StringIO()
    output = Output.to(stdout, io.StringIO(), as_json=as_json)
    changes = held.read(stack, output, now=cloud.world.virtual_time.now)
    held.release(stack, changes, output, now=cloud.world.virtual_time.now)
    cloud.world.run(limit_s=60)
    return changes, stdout.getvalue()


def sent(cloud):
    return sorted(item for one in cloud.invalidations()[1:] for item in one.items)


def test_nothing(cloud, stack):
    """
    Where nothing is held, it says so, and nothing is changed.
    """
    changes, text = release(cloud, stack)

    assert changes == []
    assert text == "Nothing is held.\n"


def test_released(cloud, stack):
    """
    All that is held goes at once, with the bucket, the count and the time said.
    """
    upload(cloud, 1, 2, 3, 4)
    assert len(sent(cloud)) == 2

    (changes,), text = release(cloud, stack)

    assert (changes.bucket, changes.change_count) == ("site", 2)
    assert text.startswith("site: 2 changes, held since 2026-11-22T")
    assert sent(cloud) == ["/1/page.html", "/2/page.html", "/3/page.html", "/4/page.html"]


def test_once(cloud, stack):
    """
    What changes afterwards is held again.
    """
    upload(cloud, 1, 2, 3)
    release(cloud, stack)

    upload(cloud, 4)

    assert len(sent(cloud)) == 3
    output = Output.to(io.StringIO(), io.StringIO())
    (changes,) = held.read(stack, output, now=cloud.world.virtual_time.now)
    assert changes.change_count == 1


def test_json(cloud, stack):
    """
    As JSON it is the same, and nothing else.
    """
    upload(cloud, 1, 2, 3)

    (changes,), text = release(cloud, stack, as_json=True)

    assert json.loads(text) == {
        "released": [{"bucket": "site", "change_count": 1, "since": changes.since}]
    }


def test_gone_meanwhile(cloud, stack):
    """
    What is held no longer when it is to be released, is not said to be released.
    """
    upload(cloud, 1, 2, 3)
    stdout = io.StringIO()
    output = Output.to(stdout, io.StringIO())
    changes = held.read(stack, output, now=cloud.world.virtual_time.now)
    suite.ledger(cloud).update(rows.flush("site"), remove=("held_item_count",))

    held.release(stack, changes, output, now=cloud.world.virtual_time.now)

    assert stdout.getvalue() == "Nothing is held.\n"
    assert "released" not in suite.ledger(cloud).get(rows.flush("site"))
