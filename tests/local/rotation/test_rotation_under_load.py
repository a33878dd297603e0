"""While front ends ask and ask, the key becomes another one, and no request fails."""

import json
import threading
from collections import Counter

import pytest

from cdn.signing import key_pairs
from local.demo import frontend, outside
from local.demo.frontend import HOST, FrontEnd, film
from local.stack import embedded
from tests.local import signed, suite

WITHIN_S = 60


@pytest.fixture(scope="module")
def world():
    parameters = {"UploadBuckets": "site"} | frontend.PARAMETERS
    with embedded(suite.TEMPLATE, parameters=parameters, fetch=frontend.IDENTITY.document) as world:
        frontend.furnish(world, bucket="films")
        outside.guard(world, bucket="films", host=HOST, key_group_id=world.outputs["KeyGroupId"])
        yield world


@pytest.fixture
def cloud(world):
    """The stack with a key that signs."""
    cloud = signed.Cloud(world, frontend.IDENTITY, "", "", world.outputs["KeyGroupId"], [])
    make_current(cloud, "first")
    world.run(limit_s=300)  # until the distribution is deployed
    return cloud


def make_current(cloud, name):
    key = key_pairs.generate("ECDSA-P256")
    key_id = cloud.trust(key_pairs.public_pem(key), name)
    cloud.world.virtual_time.advance(60)  # until all edges know it
    cloud.keep({"key_id": key_id, "private_key": key_pairs.private_pem(key)})
    return key_id


class Viewers:
    """Front ends that ask without a pause, in threads of their own, and open what they get."""

    def __init__(self, world, count):
        self.page = FrontEnd(world)
        self.seen: Counter[str] = Counter()
        self.failed = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        while not self._stopped.is_set():
            status, answer, _ = self.page.ask("POST", "/signed-urls", {"urls": [film(0)]})
            if status != 200:
                self.failed.append((status, json.dumps(answer)))
                continue
            url = answer["signed"][0]["url"]
            opened, _ = self.page.fetch(url)
            if opened != 200:
                self.failed.append((opened, url))
            self.seen[url.partition("Key-Pair-Id=")[2].partition("&")[0]] += 1

    def wait(self, *, more):
        """Let them ask some more."""
        goal = self.seen.total() + more
        while self.seen.total() < goal and not self.failed:
            self._stopped.wait(0.01)


@pytest.mark.prove
def test_rotated(cloud):
    """
    The new key signs within a minute, and neither a request nor a link fails on the way.
    """
    with Viewers(cloud.world, 3) as viewers:
        viewers.wait(more=50)
        new = make_current(cloud, "second")
        began = cloud.world.virtual_time.now()
        viewers.wait(more=50)
        advanced_s = 0
        while viewers.seen[new] == 0 and cloud.world.virtual_time.now() < began + WITHIN_S:
            cloud.world.virtual_time.advance(5)
            advanced_s += 5
            viewers.wait(more=20)
        before = viewers.seen[cloud.key_ids[0]]
        viewers.wait(more=100)

    assert viewers.failed == []
    assert viewers.seen[new] > 0
    # Virtual time ticks besides; how fast viewers ask is the machine's.
    assert advanced_s <= WITHIN_S + 5
    assert before > 0
