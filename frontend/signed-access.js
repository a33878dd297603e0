/**
 * Private files of CloudFront in a browser: signed URLs and signed cookies, renewed in time.
 *
 * What is signed is used again until shortly before it expires, by the server's clock. What
 * CloudFront refuses earlier (a key was rotated, the computer slept) is signed anew and retried
 * once, and only once.
 */

const MAX_PER_REQUEST = 100;
// The endpoint reads its key anew at most so often: to renew sooner is no use.
const MIN_RENEWAL_INTERVAL_MS = 5_000;
const MAX_ATTEMPTS = 3;
const DEFAULT_RETRY_AFTER_S = 5;
const MAX_RETRY_AFTER_S = 60;
const MAX_TIMER_MS = 2 ** 31 - 1;
const MEDIA_ERR_DECODE = 3; // MediaError.MEDIA_ERR_DECODE

const URLS = { path: "/signed-urls", requestKey: "urls", responseKey: "signed" };
const COOKIES = { path: "/signed-cookies", requestKey: "url_patterns", responseKey: "cookies" };

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
  #serverAheadMs = 0; // by how much the server's clock is ahead of this one
  #files = new Map();
  #folders = new Map();
  #queues = new Map([[URLS, []], [COOKIES, []]]);
  #showing = new WeakMap();

  /**
   * @param {object} options
   * @param {string} options.api where the endpoint is, such as `https://api.example.com`
   * @param {() => string | Promise<string>} options.token returns the viewer's JWT; per request
   * @param {number} [options.expiresIn] for how long to sign, in seconds; else as long as allowed
   *
   * Tests may pass `fetch`, `now` (in ms), `random` and `schedule` (setTimeout) of their own.
   */
  constructor(options) {
    this.#options = {
      fetch: (...args) => fetch(...args),
      now: () => Date.now(),
      random: Math.random,
      schedule: (callback, ms) => setTimeout(callback, ms),
      ...options,
      api: options.api.replace(/\/+$/, ""),
    };
  }

  /** Returns the URL to open: signed, or as it is where cookies open it. */
  async url(url) {
    return (await this.#open(url)).url;
  }

  /** Does as `fetch()` does, with signed URLs or cookies. A refused GET is retried once. */
  async fetch(url, init = {}) {
    const attempt = (opened) => this.#options.fetch(opened.url, { ...opened.init, ...init });
    const opened = await this.#open(url);
    if (!/^(get|head)$/i.test(init.method ?? "get")) return attempt(opened);
    try {
      const response = await attempt(opened);
      if (response.status !== 403 || !this.#shouldRetry(opened)) return response;
    } catch (error) {
      // CloudFront's own 403 has no CORS headers: to a page it looks like a failed connection.
      if (!(error instanceof TypeError) || !this.#shouldRetry(opened)) throw error;
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
    this.#showing.get(element)?.abort();
    const controller = new AbortController();
    const { signal } = controller;
    this.#showing.set(element, controller);
    let opened = await this.#open(url);
    if (signal.aborted) return undefined;
    return new Promise((resolve, reject) => {
      let retried = false;
      const replaceUrl = async ({ currentTime, paused, playbackRate }) => {
        opened = await this.#open(url);
        if (signal.aborted) return;
        const resume = () => {
          Object.assign(element, { currentTime, playbackRate });
          if (!paused) element.play().catch(() => {});
        };
        const hasBegun = currentTime > 0 || paused === false;
        if (hasBegun) element.addEventListener("loadedmetadata", resume, { once: true, signal });
        element.src = opened.url;
      };
      const retryOrReject = () => {
        // Only once, unless what was signed then has expired meanwhile.
        const mayRetry = !retried || this.#now() >= opened.signed.expiresAt;
        if (mayRetry && element.error?.code !== MEDIA_ERR_DECODE && this.#shouldRetry(opened)) {
          retried = true;
          replaceUrl(element).catch(reject);
        } else {
          const detail = `${url} is refused or cannot be loaded`;
          reject(new SignedAccessError({ status: 0, title: "Not loaded", detail }));
        }
      };
      const checkStalled = async () => {
        // A player requests a refused part again and again, and reports only that nothing comes.
        await this.fetch(url, { method: "HEAD" }).catch(() => {});
        if (!signal.aborted && opened.entry.signed !== opened.signed) retryOrReject();
      };
      const loaded = () => resolve();
      const listeners = {
        error: retryOrReject,
        stalled: checkStalled,
        load: loaded,
        loadeddata: loaded,
      };
      for (const [event, listener] of Object.entries(listeners)) {
        element.addEventListener(event, listener, { signal });
      }
      signal.addEventListener("abort", loaded);
      element.src = opened.url;
    });
  }

  /** Signs all of *folder*, such as `https://media.example.com/users/42/film/*`, at once. */
  folder(folder) {
    this.#entry(URLS, folder);
  }

  /** Gets signed cookies for *folders*, as above, and renews them in time until `clear()`. */
  async cookies(folders) {
    await Promise.all(folders.map((folder) => this.#refresh(this.#entry(COOKIES, folder))));
  }

  /** Forgets what was signed, and deletes the cookies. Call it before the viewer signs out. */
  async clear() {
    const folders = [...this.#folders.values()];
    this.#files.clear();
    this.#folders.clear();
    await Promise.allSettled(folders.map((entry) => entry.pending));
    const set = folders.filter((entry) => entry.kind === COOKIES && entry.signed);
    if (!set.length) return;
    const query = new URLSearchParams(set.map((entry) => ["url_pattern", entry.urlPattern]));
    await this.#request("DELETE", `${COOKIES.path}?${query}`);
  }

  /**
   * Reports that CloudFront refused *url*, for players that load by themselves: the next `url()`
   * returns another. Returns whether a retry makes sense.
   */
  refused(url) {
    const { entry } = this.#find(url);
    return this.#shouldRetry({ entry, signed: entry.signed }, true);
  }

  // ── What is cached: an entry for each URL, folder and set of cookies ────────────────────────────

  #now() {
    return this.#options.now() + this.#serverAheadMs;
  }

  #entry(kind, urlPattern) {
    const entries = kind === COOKIES || urlPattern.endsWith("*") ? this.#folders : this.#files;
    const key = `${kind.path} ${urlPattern}`;
    const isCached = () => entries.get(key) === entry;
    const entry = entries.get(key) ?? { kind, urlPattern, isCached };
    entries.set(key, entry);
    return entry;
  }

  #find(url) {
    const [bare, fragment = ""] = String(url).split(/(?=#)/);
    const covers = ({ urlPattern }) =>
      urlPattern.endsWith("*") ? bare.startsWith(urlPattern.slice(0, -1)) : bare === urlPattern;
    const entry = [...this.#folders.values()].find(covers) ?? this.#entry(URLS, bare);
    return { entry, bare, fragment };
  }

  async #open(url) {
    const { entry, bare, fragment } = this.#find(url);
    await this.#refresh(entry);
    const { signed } = entry;
    if (entry.kind === COOKIES) {
      return { entry, signed, url: bare + fragment, init: { credentials: "include" } };
    }
    const opened = signed.url ?? bare + (bare.includes("?") ? "&" : "?") + signed.query;
    return { entry, signed, url: opened + fragment };
  }

  async #refresh(entry) {
    if (entry.signed && !entry.suspect && this.#now() < entry.signed.dueAt) return;
    try {
      await this.#renew(entry);
    } catch (error) {
      // Renewal comes early: what has not expired will do.
      if (!entry.signed || entry.suspect || this.#now() >= entry.signed.expiresAt) throw error;
    }
  }

  /** Returns whether to retry what was refused with *signed*, which then is not used again. */
  #shouldRetry({ entry, signed }, unsure = false) {
    if (!signed || entry.pending || entry.suspect || entry.signed !== signed) return true;
    if (this.#now() - signed.renewedAt < MIN_RENEWAL_INTERVAL_MS) return unsure;
    entry.suspect = true;
    return true;
  }

  // ── What is requested: all that is needed in one tick, in one request ───────────────────────────

  #renew(entry) {
    if (!entry.pending) {
      const { kind } = entry;
      const queued = this.#queues.get(kind).push(this.#markPending(entry));
      if (queued === 1) this.#options.schedule(() => this.#send(kind), 0);
    }
    return entry.pending;
  }

  #markPending(entry) {
    entry.pending = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    entry.pending.catch(() => {}); // Nobody may be waiting.
    return entry;
  }

  #send(kind) {
    const entries = this.#queues.get(kind).splice(0);
    if (entries.some((entry) => entry.suspect)) {
      // What is refused for one is about to be for others: all that is in use is renewed at once.
      const inUse = (entry) =>
        entry.kind === kind &&
        !entry.pending &&
        entry.signed &&
        this.#now() < entry.signed.expiresAt;
      const renewable = [...this.#folders.values(), ...this.#files.values()].filter(inUse);
      const room = Math.max(0, MAX_PER_REQUEST - entries.length);
      entries.push(...renewable.slice(0, room).map((entry) => this.#markPending(entry)));
      for (const entry of entries) entry.suspect = true;
    }
    while (entries.length) this.#post(kind, entries.splice(0, MAX_PER_REQUEST));
  }

  async #post(kind, entries, isRest = false) {
    const refresh = entries.some((entry) => entry.suspect);
    try {
      const response = await this.#request("POST", kind.path, {
        [kind.requestKey]: entries.map((entry) => entry.urlPattern),
        expires_in: this.#options.expiresIn,
        refresh: refresh || undefined,
      });
      const signed = response[kind.responseKey];
      entries.forEach((entry, index) => this.#store(entry, signed[index], refresh));
    } catch (error) {
      const refusals = new Map(error.errors?.map((refusal) => [refusal.index, refusal]));
      if (isRest || !refusals.size) return entries.forEach((entry) => this.#reject(entry, error));
      // What may not be opened takes nothing from what may.
      const { type, title, status, now } = error;
      entries.forEach((entry, index) => {
        const problem = { type, title, status, now, ...refusals.get(index) };
        if (refusals.has(index)) this.#reject(entry, new SignedAccessError(problem));
      });
      const rest = entries.filter((_, index) => !refusals.has(index));
      if (rest.length) await this.#post(kind, rest, true);
    }
  }

  #store(entry, { url, query, expires_at }, isRefreshed) {
    const now = this.#now();
    const expiresAt = expires_at * 1000;
    // Many viewers' URLs expire at the same moment; not all shall renew them at the same.
    const earlyMs = (expiresAt - now) * (0.1 + 0.1 * this.#options.random());
    const dueAt = Math.min(expiresAt - earlyMs, now + MAX_TIMER_MS);
    const renewedAt = isRefreshed ? now : -Infinity;
    Object.assign(entry, { signed: { url, query, expiresAt, dueAt, renewedAt }, suspect: false });
    entry.pending = entry.resolve();
    if (entry.kind !== COOKIES) return;
    const renewDue = () => entry.isCached() && this.#refresh(entry).catch(() => {});
    this.#options.schedule(renewDue, dueAt - now);
  }

  #reject(entry, error) {
    if (error.status === 403) Object.assign(entry, { signed: undefined, suspect: false });
    entry.pending = entry.reject(error);
  }

  async #request(method, target, body) {
    const { api, token, fetch, now, random, schedule } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const headers = { authorization: `Bearer ${await token()}` };
      if (body) headers["content-type"] = "application/json";
      const credentials = target.startsWith(COOKIES.path) ? "include" : "same-origin";
      const init = { method, headers, credentials, body: body && JSON.stringify(body) };
      const response = await fetch(api + target, init).catch((cause) => {
        const detail =
          "the endpoint is out of reach, does not allow this page's origin, or took no such token";
        throw new SignedAccessError({ status: 0, title: "No answer", detail }, { cause });
      });
      const content = await response.json().catch(() => ({}));
      if (content.now) this.#serverAheadMs = content.now * 1000 - now();
      if (response.ok) return content;
      if (![429, 503].includes(response.status) || attempt === MAX_ATTEMPTS) {
        throw new SignedAccessError({ status: response.status, ...content });
      }
      const seconds = Number(response.headers.get("retry-after")) || DEFAULT_RETRY_AFTER_S;
      const pauseMs = 1000 * (Math.min(seconds, MAX_RETRY_AFTER_S) + random());
      await new Promise((resolve) => schedule(resolve, pauseMs));
    }
  }
}
