/**
 * Private files of CloudFront in a browser: signed URLs and signed cookies, kept fresh.
 *
 * What is signed is used again until shortly before it expires, by the server's clock. What
 * CloudFront refuses earlier (a key was rotated, the computer slept) is signed anew and tried once
 * more, and only once.
 */

const MAX_AT_ONCE = 100;
// The endpoint reads its key anew at most so often: sooner is no use.
const RENEWED_AGAIN_MS = 5_000;
const MAX_ATTEMPTS = 3;
const RETRY_AFTER_S = 5;
const MAX_RETRY_AFTER_S = 60;
const MAX_TIMER_MS = 2 ** 31 - 1;
const NOT_DECODABLE = 3; // MediaError

const URLS = { path: "/signed-urls", asks: "urls", gives: "signed" };
const COOKIES = { path: "/signed-cookies", asks: "url_patterns", gives: "cookies" };

/** Why something cannot be opened: with the fields of the endpoint's problem details (RFC 9457). */
export class SignedAccessError extends Error {
  constructor(problem, options) {
    super(problem.detail ?? problem.title ?? `the endpoint answered ${problem.status}`, options);
    Object.assign(this, problem, { name: "SignedAccessError" });
  }
}

/** Gets signed URLs and cookies from the endpoint, and uses them. A page needs one of these. */
export class SignedAccess {
  #options;
  #aheadMs = 0; // what the server's clock is ahead of this one
  #files = new Map();
  #folders = new Map();
  #queues = new Map([[URLS, []], [COOKIES, []]]);
  #shown = new WeakMap();

  /**
   * @param {object} options
   * @param {string} options.api where the endpoint is, such as `https://api.example.com`
   * @param {() => string | Promise<string>} options.token gives the viewer's JWT, for each request
   * @param {number} [options.expiresIn] for how long to sign, in seconds; else as long as allowed
   *
   * Tests may give `fetch`, `now` (in ms), `random` and `later` (setTimeout) of their own.
   */
  constructor(options) {
    this.#options = {
      fetch: (...args) => fetch(...args),
      now: () => Date.now(),
      random: Math.random,
      later: (callback, ms) => setTimeout(callback, ms),
      ...options,
      api: options.api.replace(/\/+$/, ""),
    };
  }

  /** Gives the URL to open: signed, or as it is where cookies open it. */
  async url(url) {
    return (await this.#open(url)).url;
  }

  /** Does as `fetch()` does, with signed URLs or cookies. A refused GET is tried once more. */
  async fetch(url, init = {}) {
    const attempt = (opened) => this.#options.fetch(opened.url, { ...opened.init, ...init });
    const first = await this.#open(url);
    if (!/^(get|head)$/i.test(init.method ?? "get")) return attempt(first);
    try {
      const answer = await attempt(first);
      if (answer.status !== 403 || !this.#isRefused(first)) return answer;
    } catch (error) {
      // CloudFront's own 403 has no CORS headers: to a page it looks like a failed connection.
      if (!(error instanceof TypeError) || !this.#isRefused(first)) throw error;
    }
    return attempt(await this.#open(url));
  }

  /**
   * Shows what is at *url* in an `<img>`, `<video>` or `<audio>`; if it is refused, even midway,
   * signs it anew and goes on where it was.
   *
   * Resolves when it has loaded, or something else is shown there. Rejects with a
   * SignedAccessError if it may not be opened, or cannot be loaded.
   */
  async show(element, url) {
    this.#shown.get(element)?.abort();
    const showing = new AbortController();
    const { signal } = showing;
    this.#shown.set(element, showing);
    let opened = await this.#open(url);
    if (signal.aborted) return undefined;
    return new Promise((resolve, reject) => {
      let tried = false;
      const swap = async ({ currentTime, paused, playbackRate }) => {
        opened = await this.#open(url);
        if (signal.aborted) return;
        const resume = () => {
          Object.assign(element, { currentTime, playbackRate });
          if (!paused) element.play().catch(() => {});
        };
        const began = currentTime > 0 || paused === false;
        if (began) element.addEventListener("loadedmetadata", resume, { once: true, signal });
        element.src = opened.url;
      };
      const fail = () => {
        // Only once, unless what was given then has run out meanwhile.
        const mayTry = !tried || this.#now() >= opened.signed.expiresAt;
        if (mayTry && element.error?.code !== NOT_DECODABLE && this.#isRefused(opened)) {
          tried = true;
          swap(element).catch(reject);
        } else {
          const detail = `${url} is refused or cannot be loaded`;
          reject(new SignedAccessError({ status: 0, title: "Not loaded", detail }));
        }
      };
      const check = async () => {
        // A player asks for a refused part again and again, and says only that nothing comes.
        await this.fetch(url, { method: "HEAD" }).catch(() => {});
        if (!signal.aborted && opened.grant.signed !== opened.signed) fail();
      };
      const done = () => resolve();
      const listeners = { error: fail, stalled: check, load: done, loadeddata: done };
      for (const [event, listener] of Object.entries(listeners)) {
        element.addEventListener(event, listener, { signal });
      }
      signal.addEventListener("abort", done);
      element.src = opened.url;
    });
  }

  /** Signs all of *folder*, such as `https://media.example.com/users/42/film/*`, at once. */
  folder(folder) {
    this.#grant(URLS, folder);
  }

  /** Gets signed cookies for *folders*, such as the above, and keeps them fresh until `clear()`. */
  async cookies(folders) {
    await Promise.all(folders.map((folder) => this.#refresh(this.#grant(COOKIES, folder))));
  }

  /** Forgets what was signed, and deletes the cookies. Call it before the viewer signs out. */
  async clear() {
    const folders = [...this.#folders.values()];
    this.#files.clear();
    this.#folders.clear();
    await Promise.allSettled(folders.map((grant) => grant.pending));
    const set = folders.filter((grant) => grant.kind === COOKIES && grant.signed);
    if (!set.length) return;
    const query = new URLSearchParams(set.map((grant) => ["url_pattern", grant.urlPattern]));
    await this.#ask("DELETE", `${COOKIES.path}?${query}`);
  }

  /**
   * Says that CloudFront refused *url*, for players that load by themselves: the next `url()` gives
   * another. Returns whether that makes sense.
   */
  refused(url) {
    const { grant } = this.#find(url);
    return this.#isRefused({ grant, signed: grant.signed }, true);
  }

  // ── What is kept: a grant for each URL, folder and set of cookies ───────────────────────────────

  #now() {
    return this.#options.now() + this.#aheadMs;
  }

  #grant(kind, urlPattern) {
    const grants = kind === COOKIES || urlPattern.endsWith("*") ? this.#folders : this.#files;
    const key = `${kind.path} ${urlPattern}`;
    const isCurrent = () => grants.get(key) === grant;
    const grant = grants.get(key) ?? { kind, urlPattern, isCurrent };
    grants.set(key, grant);
    return grant;
  }

  #find(url) {
    const [bare, fragment = ""] = String(url).split(/(?=#)/);
    const covers = ({ urlPattern }) =>
      urlPattern.endsWith("*") ? bare.startsWith(urlPattern.slice(0, -1)) : bare === urlPattern;
    const grant = [...this.#folders.values()].find(covers) ?? this.#grant(URLS, bare);
    return { grant, bare, fragment };
  }

  async #open(url) {
    const { grant, bare, fragment } = this.#find(url);
    await this.#refresh(grant);
    const { signed } = grant;
    if (grant.kind === COOKIES) {
      return { grant, signed, url: bare + fragment, init: { credentials: "include" } };
    }
    const opened = signed.url ?? bare + (bare.includes("?") ? "&" : "?") + signed.query;
    return { grant, signed, url: opened + fragment };
  }

  async #refresh(grant) {
    if (grant.signed && !grant.suspect && this.#now() < grant.signed.dueAt) return;
    try {
      await this.#renew(grant);
    } catch (error) {
      // Early is early: what still opens will do.
      if (!grant.signed || grant.suspect || this.#now() >= grant.signed.expiresAt) throw error;
    }
  }

  /** Tells whether to try again what was refused with *signed*, which then is not used again. */
  #isRefused({ grant, signed }, unsure = false) {
    if (!signed || grant.pending || grant.suspect || grant.signed !== signed) return true;
    if (this.#now() - signed.renewedAt < RENEWED_AGAIN_MS) return unsure;
    grant.suspect = true;
    return true;
  }

  // ── What is asked for: all that is needed in one tick, in one request ───────────────────────────

  #renew(grant) {
    if (!grant.pending) {
      const queue = this.#queues.get(grant.kind);
      if (queue.push(this.#begin(grant)) === 1) this.#options.later(() => this.#send(grant.kind), 0);
    }
    return grant.pending;
  }

  #begin(grant) {
    grant.pending = new Promise((resolve, reject) => Object.assign(grant, { resolve, reject }));
    grant.pending.catch(() => {}); // Nobody may be waiting.
    return grant;
  }

  #send(kind) {
    const grants = this.#queues.get(kind).splice(0);
    if (grants.some((grant) => grant.suspect)) {
      // What one found refused, others are about to find: all that is in use is renewed at once.
      const inUse = (one) =>
        one.kind === kind && !one.pending && one.signed && this.#now() < one.signed.expiresAt;
      const others = [...this.#folders.values(), ...this.#files.values()].filter(inUse);
      const room = Math.max(0, MAX_AT_ONCE - grants.length);
      grants.push(...others.slice(0, room).map((one) => this.#begin(one)));
      for (const grant of grants) grant.suspect = true;
    }
    while (grants.length) this.#post(kind, grants.splice(0, MAX_AT_ONCE));
  }

  async #post(kind, grants, isRest = false) {
    const refresh = grants.some((grant) => grant.suspect);
    try {
      const answer = await this.#ask("POST", kind.path, {
        [kind.asks]: grants.map((grant) => grant.urlPattern),
        expires_in: this.#options.expiresIn,
        refresh: refresh || undefined,
      });
      grants.forEach((grant, index) => this.#keep(grant, answer[kind.gives][index], refresh));
    } catch (error) {
      const refusals = new Map(error.errors?.map((one) => [one.index, one]));
      if (isRest || !refusals.size) return grants.forEach((grant) => this.#fail(grant, error));
      // What may not be opened takes nothing from what may.
      const { type, title, status, now } = error;
      grants.forEach((grant, index) => {
        const problem = { type, title, status, now, ...refusals.get(index) };
        if (refusals.has(index)) this.#fail(grant, new SignedAccessError(problem));
      });
      const rest = grants.filter((_, index) => !refusals.has(index));
      if (rest.length) await this.#post(kind, rest, true);
    }
  }

  #keep(grant, { url, query, expires_at }, isRefreshed) {
    const now = this.#now();
    const expiresAt = expires_at * 1000;
    // Many viewers' URLs expire at the same moment; not all shall come back at the same.
    const early = (expiresAt - now) * (0.1 + 0.1 * this.#options.random());
    const dueAt = Math.min(expiresAt - early, now + MAX_TIMER_MS);
    const renewedAt = isRefreshed ? now : -Infinity;
    Object.assign(grant, { signed: { url, query, expiresAt, dueAt, renewedAt }, suspect: false });
    grant.pending = grant.resolve();
    if (grant.kind !== COOKIES) return;
    const refresh = () => grant.isCurrent() && this.#refresh(grant).catch(() => {});
    this.#options.later(refresh, dueAt - now);
  }

  #fail(grant, error) {
    if (error.status === 403) Object.assign(grant, { signed: undefined, suspect: false });
    grant.pending = grant.reject(error);
  }

  async #ask(method, target, body) {
    const { api, token, fetch, now, random, later } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const headers = { authorization: `Bearer ${await token()}` };
      if (body) headers["content-type"] = "application/json";
      const credentials = target.startsWith(COOKIES.path) ? "include" : "same-origin";
      const init = { method, headers, credentials, body: body && JSON.stringify(body) };
      const answer = await fetch(api + target, init).catch((cause) => {
        const detail =
          "the endpoint is out of reach, does not allow this page's origin, or took no such token";
        throw new SignedAccessError({ status: 0, title: "No answer", detail }, { cause });
      });
      const content = await answer.json().catch(() => ({}));
      if (content.now) this.#aheadMs = content.now * 1000 - now();
      if (answer.ok) return content;
      if (![429, 503].includes(answer.status) || tries === MAX_ATTEMPTS) {
        throw new SignedAccessError({ status: answer.status, ...content });
      }
      const seconds = Number(answer.headers.get("retry-after")) || RETRY_AFTER_S;
      const pause_ms = 1000 * (Math.min(seconds, MAX_RETRY_AFTER_S) + random());
      await new Promise((resolve) => later(resolve, pause_ms));
    }
  }
}
