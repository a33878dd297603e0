// What frontend/signed-access.js does by itself, with a network and a time source of the tests.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { SignedAccess, SignedAccessError } from "../../frontend/signed-access.js";

const API = "https://api.example.org";
const MEDIA = "https://media.example.com/users/42/";
const START_S = 1_800_000_000;

/** The endpoint, CloudFront and the time; *responses* come before the usual ones. */
class World {
  constructor({ lifetime = 600, aheadS = 0, ...options } = {}) {
    this.nowMs = START_S * 1000;
    this.lifetime = lifetime;
    this.aheadS = aheadS;
    this.posts = [];
    this.fetched = [];
    this.responses = [];
    this.generation = 1;
    this.refuses = () => false;
    this.timers = [];
    this.tokens = 0;
    this.access = new SignedAccess({
      api: `${API}/`,
      token: async () => `token-${(this.tokens += 1)}`,
      fetch: (url, init) => this.fetch(url, init),
      now: () => this.nowMs,
      random: () => 0.5,
      schedule: (callback, ms) => this.schedule(callback, ms),
      ...options,
    });
  }

  schedule(callback, ms) {
    if (ms === 0) setTimeout(callback, 0);
    else this.timers.push({ callback, at: this.nowMs + ms });
  }

  /** Moves the time, and calls what is due. */
  async pass(seconds) {
    this.nowMs += seconds * 1000;
    const due = this.timers.filter(({ at }) => at <= this.nowMs);
    this.timers = this.timers.filter(({ at }) => at > this.nowMs);
    for (const { callback } of due) callback();
    await ticks();
  }

  get nowS() {
    return Math.floor(this.nowMs / 1000) + this.aheadS;
  }

  async fetch(url, init) {
    if (!url.startsWith(API)) {
      this.fetched.push({ url, init });
      const refusal = await this.refuses(url, init);
      if (refusal instanceof Error) throw refusal;
      return new Response("", { status: refusal || 200 });
    }
    const body = init.body && JSON.parse(init.body);
    this.posts.push({ ...init, target: url.slice(API.length), body });
    const response = this.responses.shift();
    if (response instanceof Error) throw response;
    if (response) return Response.json({ now: this.nowS, ...response.body }, response);
    return Response.json({ now: this.nowS, ...this.usual(url, body) });
  }

  usual(url, body) {
    const expires_at = this.nowS + this.lifetime;
    if (url.includes("url_pattern=")) return { cleared: [] };
    if (body.url_patterns) {
      return { cookies: body.url_patterns.map((url_pattern) => ({ url_pattern, path: "/", expires_at })) };
    }
    const query = `Signature=${this.generation}&Expires=${expires_at}`;
    return {
      signed: body.urls.map((url) =>
        url.endsWith("*")
          ? { url_pattern: url, query, expires_at }
          : { url: `${url}?${query}`, expires_at },
      ),
    };
  }
}

const ticks = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("url", () => {
  it("asks once for all that is needed in a tick, each with its own response", async () => {
    const world = new World();
    const urls = await Promise.all(["a", "b", "a"].map((name) => world.access.url(MEDIA + name)));
    assert.deepEqual(world.posts.map((post) => post.body), [{ urls: [`${MEDIA}a`, `${MEDIA}b`] }]);
    assert.match(urls[1], /users\/42\/b\?Signature=1/);
    assert.equal(urls[0], urls[2]);
  });

  it("asks for at most 100 at once", async () => {
    const world = new World();
    await Promise.all(Array.from({ length: 201 }, (_, index) => world.access.url(MEDIA + index)));
    assert.deepEqual(world.posts.map((post) => post.body.urls.length), [100, 100, 1]);
  });

  it("sends a token of its own with each request, and cookies with none", async () => {
    const world = new World();
    await world.access.url(`${MEDIA}a`);
    await world.access.url(`${MEDIA}b`);
    const sent = world.posts.map(({ headers, credentials }) => [headers.authorization, credentials]);
    assert.deepEqual(sent, [["Bearer token-1", "same-origin"], ["Bearer token-2", "same-origin"]]);
  });

  it("gives the same until shortly before its end, and then another", async () => {
    const world = new World({ lifetime: 600 });
    const first = await world.access.url(`${MEDIA}a`);
    await world.pass(509);
    assert.equal(await world.access.url(`${MEDIA}a`), first);
    await world.pass(2);
    assert.notEqual(await world.access.url(`${MEDIA}a`), first);
    assert.deepEqual(world.posts.map((post) => post.body.refresh), [undefined, undefined]);
  });

  it("goes by the server's clock, however wrong the browser's is", async () => {
    const world = new World({ lifetime: 600, aheadS: -86_400 });
    const first = await world.access.url(`${MEDIA}a`);
    await world.pass(500);
    assert.equal(await world.access.url(`${MEDIA}a`), first);
  });

  it("comes back earlier or later, so that not all viewers come at once", async () => {
    const early = new World({ lifetime: 600, random: () => 1 });
    const late = new World({ lifetime: 600, random: () => 0 });
    for (const [seconds, posts] of [[479, [1, 1]], [2, [2, 1]], [58, [2, 1]], [2, [2, 2]]]) {
      await Promise.all([early.access.url(`${MEDIA}a`), late.access.url(`${MEDIA}a`)]);
      await Promise.all([early.pass(seconds), late.pass(seconds)]);
      await Promise.all([early.access.url(`${MEDIA}a`), late.access.url(`${MEDIA}a`)]);
      assert.deepEqual([early.posts.length, late.posts.length], posts);
    }
  });

  it("requests the lifetime that the page sets", async () => {
    const world = new World({ expiresIn: 60 });
    await world.access.url(`${MEDIA}a`);
    assert.equal(world.posts[0].body.expires_in, 60);
  });

  it("uses what still opens when the endpoint cannot be reached early, but not beyond", async () => {
    const world = new World({ lifetime: 600 });
    const first = await world.access.url(`${MEDIA}a`);
    await world.pass(550);
    world.responses.push(new TypeError("offline"));
    assert.equal(await world.access.url(`${MEDIA}a`), first);
    await world.pass(50);
    world.responses.push(new TypeError("offline"));
    await assert.rejects(world.access.url(`${MEDIA}a`), { name: "SignedAccessError", status: 0 });
  });

  it("takes nothing from what may be opened for what may not", async () => {
    const world = new World();
    const errors = [{ index: 1, reason: "path_not_granted", detail: "not yours" }];
    world.responses.push({ status: 403, body: { title: "Refused", status: 403, errors } });
    const [own, others] = await Promise.allSettled(
      [`${MEDIA}a`, "https://media.example.com/users/43/a"].map((url) => world.access.url(url)),
    );
    assert.equal(own.status, "fulfilled");
    assert.ok(others.reason instanceof SignedAccessError);
    const { status, reason, message, title } = others.reason;
    assert.deepEqual([status, reason, message, title], [403, "path_not_granted", "not yours", "Refused"]);
    assert.deepEqual(world.posts[1].body.urls, [`${MEDIA}a`]);
  });

  it("rejects all when the rest is refused as well", async () => {
    const world = new World();
    const problem = { status: 403, body: { errors: [{ index: 0, reason: "r", detail: "d" }] } };
    world.responses.push(problem, problem);
    const urls = ["a", "b", "c"].map((name) => world.access.url(MEDIA + name));
    const results = await Promise.allSettled(urls);
    assert.deepEqual(results.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
    assert.equal(world.posts.length, 2);
  });

  it("waits for Retry-After when it is throttled, and makes three attempts at most", async () => {
    const world = new World();
    const unavailable = { status: 503, headers: { "retry-after": "7" }, body: { title: "No key yet" } };
    world.responses.push(unavailable, unavailable, unavailable);
    const rejected = assert.rejects(world.access.url(`${MEDIA}a`), { status: 503, title: "No key yet" });
    await ticks();
    await world.pass(6.9);
    assert.equal(world.posts.length, 1);
    await world.pass(1);
    assert.equal(world.posts.length, 2);
    await world.pass(8);
    await rejected;
    assert.equal(world.posts.length, 3);
  });

  it("waits a minute at most, and 5 seconds without Retry-After, also after a 429", async () => {
    const world = new World({ random: () => 0 });
    world.responses.push(
      { status: 503, headers: { "retry-after": "3600" }, body: {} },
      { status: 429, body: { message: "Too Many Requests" } },
    );
    const url = world.access.url(`${MEDIA}a`);
    await ticks();
    for (const [seconds, posts] of [[59, 1], [1, 2], [4, 2], [1, 3]]) {
      await world.pass(seconds);
      assert.equal(world.posts.length, posts);
    }
    assert.match(await url, /Signature/);
  });

  it("leaves a fragment out of what is signed, and in what is opened", async () => {
    const world = new World();
    assert.match(await world.access.url(`${MEDIA}a.mp4#t=10`), /a\.mp4\?Signature=1&Expires=\d+#t=10$/);
    assert.deepEqual(world.posts[0].body.urls, [`${MEDIA}a.mp4`]);
  });

  it("signs a folder once for all that is in it", async () => {
    const world = new World();
    world.access.folder(`${MEDIA}film/*`);
    const urls = await Promise.all(
      ["film/1.ts", "film/2.ts?x=1", "b"].map((name) => world.access.url(MEDIA + name)),
    );
    assert.deepEqual(world.posts[0].body.urls, [`${MEDIA}film/*`, `${MEDIA}b`]);
    assert.match(urls[0], /film\/1\.ts\?Signature=1/);
    assert.match(urls[1], /film\/2\.ts\?x=1&Signature=1/);
  });

  it("lets errors of the token callback through", async () => {
    const world = new World();
    const signedOut = new Error("signed out");
    const access = new SignedAccess({ api: API, token: () => Promise.reject(signedOut) });
    await assert.rejects(access.url(`${MEDIA}a`), signedOut);
    assert.equal(world.posts.length, 0);
  });
});

describe("fetch", () => {
  for (const [name, refusal] of [
    ["a 403", 403],
    ["a failed connection, which a 403 without CORS headers looks like", new TypeError("failed")],
  ]) {
    it(`retries once after ${name}, with another signature`, async () => {
      const world = new World();
      await world.access.url(`${MEDIA}a`);
      world.generation = 2;
      world.refuses = (url) => url.includes("Signature=1") && refusal;
      const response = await world.access.fetch(`${MEDIA}a`);
      assert.equal(response.status, 200);
      assert.deepEqual(world.posts.map((post) => post.body.refresh), [undefined, true]);
      assert.equal(world.fetched.length, 2);
    });
  }

  it("never tries a third time, and renews no more than every 5 seconds", async () => {
    const world = new World();
    world.refuses = () => 403;
    for (let times = 0; times < 3; times += 1) {
      assert.equal((await world.access.fetch(`${MEDIA}a`)).status, 403);
    }
    assert.deepEqual([world.posts.length, world.fetched.length], [2, 4]);
    await world.pass(5);
    await world.access.fetch(`${MEDIA}a`);
    assert.deepEqual([world.posts.length, world.fetched.length], [3, 6]);
  });

  it("renews all that is in use with one request, however many are refused", async () => {
    const world = new World();
    const urls = Array.from({ length: 40 }, (_, index) => MEDIA + index);
    await Promise.all(urls.map((url) => world.access.url(url)));
    world.generation = 2;
    world.refuses = (url) => url.includes("Signature=1") && 403;
    for (const refused of [urls.slice(0, 1), urls.slice(1)]) {
      await Promise.all(refused.map((url) => world.access.fetch(url)));
    }
    assert.equal(world.posts.length, 2);
    assert.equal(world.posts[1].body.urls.length, 40);
  });

  it("uses what another renewed meanwhile", async () => {
    const world = new World();
    await Promise.all(["a", "b"].map((name) => world.access.url(MEDIA + name)));
    world.generation = 2;
    let refuseB;
    world.refuses = (url) => {
      if (!url.includes("Signature=1")) return 200;
      return url.includes("/a?") ? 403 : new Promise((resolve) => (refuseB = resolve));
    };
    const late = world.access.fetch(`${MEDIA}b`);
    await world.access.fetch(`${MEDIA}a`);
    refuseB(403);
    assert.equal((await late).status, 200);
    assert.equal(world.posts.length, 2);
  });

  it("asks for a refresh in each of many requests once something was refused", async () => {
    const world = new World();
    await world.access.url(`${MEDIA}a`);
    world.access.refused(`${MEDIA}a`);
    const urls = ["a", ...Array.from({ length: 120 }, (_, index) => index)];
    await Promise.all(urls.map((name) => world.access.url(MEDIA + name)));
    assert.deepEqual(world.posts.map((post) => post.body.refresh), [undefined, true, true]);
  });

  it("renews neither what has run out nor what may not be opened any more", async () => {
    const world = new World({ lifetime: 600 });
    await world.access.url(`${MEDIA}old`);
    await world.pass(300);
    await Promise.all(["a", "b"].map((name) => world.access.url(MEDIA + name)));
    await world.pass(301);
    const errors = [{ index: 1, reason: "path_not_granted", detail: "no more" }];
    world.responses.push({ status: 403, body: { status: 403, errors } });
    const refresh = async () => {
      world.access.refused(`${MEDIA}a`);
      await world.access.url(`${MEDIA}a`);
      return world.posts.at(-1).body.urls.map((url) => url.slice(MEDIA.length));
    };
    assert.deepEqual(await refresh(), ["a"]);
    assert.deepEqual(world.posts.at(-2).body.urls, [`${MEDIA}a`, `${MEDIA}b`]);
    await world.pass(6);
    assert.deepEqual(await refresh(), ["a"]);
  });

  it("fails only for who asked when a refresh fails", async () => {
    const world = new World();
    await Promise.all(["a", "b"].map((name) => world.access.url(MEDIA + name)));
    world.responses.push(new TypeError("offline"));
    world.access.refused(`${MEDIA}a`);
    await assert.rejects(world.access.url(`${MEDIA}a`), { title: "No answer" });
    await ticks();
  });

  it("does not repeat what changes something", async () => {
    const world = new World();
    world.refuses = () => 403;
    await world.access.fetch(`${MEDIA}a`, { method: "PUT", body: "x" });
    assert.equal(world.fetched.length, 1);
  });

  it("leaves other failures to the caller", async () => {
    const world = new World();
    const stopped = new DOMException("stopped", "AbortError");
    world.refuses = () => stopped;
    await assert.rejects(world.access.fetch(`${MEDIA}a`), stopped);
    world.refuses = () => 404;
    assert.equal((await world.access.fetch(`${MEDIA}a`)).status, 404);
    assert.equal(world.posts.length, 1);
  });

  it("rejects with the endpoint's problem when there is nothing to retry with", async () => {
    const world = new World();
    await world.access.url(`${MEDIA}a`);
    world.refuses = () => 403;
    world.responses.push({ status: 403, body: { title: "Refused", status: 403 } });
    await assert.rejects(world.access.fetch(`${MEDIA}a`), { status: 403, title: "Refused" });
  });
});

describe("cookies", () => {
  it("opens what is in the folders with cookies, and asks for no URL", async () => {
    const world = new World();
    await world.access.cookies([`${MEDIA}*`]);
    assert.equal(await world.access.url(`${MEDIA}a#x`), `${MEDIA}a#x`);
    await world.access.fetch(`${MEDIA}a`);
    assert.deepEqual(world.fetched, [{ url: `${MEDIA}a`, init: { credentials: "include" } }]);
    assert.deepEqual(
      world.posts.map(({ target, credentials, body }) => [target, credentials, body]),
      [["/signed-cookies", "include", { url_patterns: [`${MEDIA}*`] }]],
    );
  });

  it("gets new ones before the old ones end, without being asked", async () => {
    const world = new World({ lifetime: 600 });
    await world.access.cookies([`${MEDIA}*`]);
    await world.pass(509);
    assert.equal(world.posts.length, 1);
    await world.pass(2);
    assert.equal(world.posts.length, 2);
    await world.pass(511);
    assert.equal(world.posts.length, 3);
  });

  it("sets no timer that a browser cannot keep", async () => {
    const world = new World({ lifetime: 90 * 86_400 });
    await world.access.cookies([`${MEDIA}*`]);
    assert.equal(world.timers[0].at - world.nowMs, 2 ** 31 - 1);
    await world.pass(2 ** 31 / 1000);
    assert.equal(world.posts.length, 2);
  });

  it("gets new ones once after a refusal", async () => {
    const world = new World();
    await world.access.cookies([`${MEDIA}*`]);
    world.refuses = () => 403;
    const responses = await Promise.all(["a", "b"].map((name) => world.access.fetch(MEDIA + name)));
    assert.deepEqual(responses.map(({ status }) => status), [403, 403]);
    assert.deepEqual(world.posts.map((post) => post.body.refresh), [undefined, true]);
  });

  it("forgets everything when cleared", async () => {
    const world = new World({ lifetime: 600 });
    await world.access.cookies([`${MEDIA}*`, "https://media.example.com/films/*"]);
    await world.access.clear();
    const { method, target, credentials } = world.posts.at(-1);
    assert.equal(method, "DELETE");
    assert.equal(credentials, "include");
    assert.deepEqual(new URLSearchParams(target.split("?")[1]).getAll("url_pattern"), [
      `${MEDIA}*`,
      "https://media.example.com/films/*",
    ]);
    await world.pass(600);
    assert.equal(world.posts.length, 2);
    assert.match(await world.access.url(`${MEDIA}a`), /Signature/);
  });
});

describe("clear", () => {
  it("waits for cookies that are on their way", async () => {
    const world = new World();
    const set = world.access.cookies([`${MEDIA}*`]);
    await Promise.all([world.access.clear(), set]);
    assert.deepEqual(world.posts.map(({ method }) => method), ["POST", "DELETE"]);
  });

  it("forgets URLs, and asks for nothing where there are no cookies", async () => {
    const world = new World();
    await world.access.url(`${MEDIA}a`);
    await world.access.clear();
    assert.equal(world.posts.length, 1);
    await world.access.url(`${MEDIA}a`);
    assert.equal(world.posts.length, 2);
  });
});

describe("refused", () => {
  it("makes the next URL another, once", async () => {
    const world = new World();
    const first = await world.access.url(`${MEDIA}a`);
    world.generation = 2;
    assert.equal(world.access.refused(`${MEDIA}a`), true);
    assert.notEqual(await world.access.url(`${MEDIA}a`), first);
    await world.access.url(`${MEDIA}a`);
    assert.deepEqual(world.posts.map((post) => post.body.refresh), [undefined, true]);
  });
});

/** As much of an element as `show` needs. */
class Element extends EventTarget {
  constructor() {
    super();
    this.urls = [];
  }

  set src(url) {
    this.urls.push(url);
  }

  emit(type) {
    this.dispatchEvent(new Event(type));
  }
}

describe("show", () => {
  it("resolves when the element has loaded", async () => {
    const world = new World();
    const element = new Element();
    const shown = world.access.show(element, `${MEDIA}a`);
    await ticks();
    element.emit("load");
    await shown;
    assert.equal(element.urls.length, 1);
  });

  it("swaps a refused URL once, and then says so", async () => {
    const world = new World();
    const element = new Element();
    const shown = assert.rejects(world.access.show(element, `${MEDIA}a`), { title: "Not loaded" });
    await ticks();
    for (let times = 0; times < 3; times += 1) {
      element.emit("error");
      await ticks();
    }
    await shown;
    assert.equal(element.urls.length, 2);
    assert.deepEqual(world.posts.map((post) => post.body.refresh), [undefined, true]);
  });

  it("does not swap later either, while what it gave still opens", async () => {
    const world = new World({ lifetime: 600 });
    const element = new Element();
    world.access.show(element, `${MEDIA}a`).catch(() => {});
    await ticks();
    for (let times = 0; times < 3; times += 1) {
      element.emit("error");
      await world.pass(10);
    }
    assert.equal(element.urls.length, 2);
  });

  it("swaps again when the next URL has run out in its turn", async () => {
    const world = new World({ lifetime: 600 });
    const element = new Element();
    const shown = world.access.show(element, `${MEDIA}a`);
    await ticks();
    element.emit("loadeddata");
    await shown;
    for (let times = 0; times < 3; times += 1) {
      await world.pass(600);
      element.emit("error");
      await ticks();
    }
    assert.equal(element.urls.length, 4);
  });

  it("goes on where it was, as fast as it was", async () => {
    const world = new World();
    const element = new Element();
    let plays = 0;
    const play = async () => (plays += 1);
    Object.assign(element, { currentTime: 42, paused: false, playbackRate: 1.5, play });
    world.access.show(element, `${MEDIA}a`);
    await ticks();
    element.emit("error");
    await ticks();
    Object.assign(element, { currentTime: 0, paused: true, playbackRate: 1 });
    element.emit("loadedmetadata");
    assert.deepEqual([element.currentTime, element.playbackRate, plays], [42, 1.5, 1]);
  });

  it("finds out why nothing comes, and swaps only what is refused", async () => {
    const world = new World();
    const element = new Element();
    const shown = world.access.show(element, `${MEDIA}a`);
    await ticks();
    element.emit("loadeddata");
    await shown;
    element.emit("stalled");
    await ticks();
    assert.equal(element.urls.length, 1);
    world.generation = 2;
    world.refuses = (url) => url.includes("Signature=1") && new TypeError("failed");
    element.emit("stalled");
    await ticks();
    assert.equal(element.urls.length, 2);
    assert.match(element.urls[1], /Signature=2/);
    assert.deepEqual(world.fetched.map(({ init }) => init.method), ["HEAD", "HEAD", "HEAD"]);
  });

  it("swaps nothing for what cannot be decoded", async () => {
    const world = new World();
    const element = Object.assign(new Element(), { error: { code: 3 } });
    const shown = assert.rejects(world.access.show(element, `${MEDIA}a`), SignedAccessError);
    await ticks();
    element.emit("error");
    await shown;
    assert.equal(element.urls.length, 1);
  });

  it("gives an element nothing more once it was asked to show something else", async () => {
    const world = new World();
    const element = new Element();
    await world.access.url(`${MEDIA}b`);
    const first = world.access.show(element, `${MEDIA}a`);
    world.access.show(element, `${MEDIA}b`);
    await first;
    element.emit("error");
    world.access.show(element, `${MEDIA}a`);
    await ticks();
    assert.deepEqual(element.urls.map((url) => url[MEDIA.length]), ["b", "a"]);
  });

  it("leaves an element that shows something else meanwhile", async () => {
    const world = new World();
    const element = new Element();
    const first = world.access.show(element, `${MEDIA}a`);
    await ticks();
    const second = world.access.show(element, `${MEDIA}b`);
    await first;
    await ticks();
    element.emit("error");
    await ticks();
    element.emit("load");
    await second;
    assert.equal(element.urls.length, 3);
    assert.ok(element.urls[2].includes("/b?"));
  });
});
