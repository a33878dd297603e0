/** The fields of the endpoint's problem details: https://www.rfc-editor.org/rfc/rfc9457. */
export interface Problem {
  /** HTTP status; 0 where a page cannot see one. */
  status: number;
  /** Such as `urn:cloudfront-autopilot:refused`. */
  type?: string;
  title?: string;
  detail?: string;
  /** The server's time, in seconds since the epoch. */
  now?: number;
  /** Why this one URL or folder was refused, such as `path_not_granted`. */
  reason?: string;
  /** What was wrong with which of those requested together. */
  errors?: { index: number; reason: string; detail: string }[];
}

export class SignedAccessError extends Error implements Problem {
  constructor(problem: Problem, options?: ErrorOptions);
  status: number;
  type?: string;
  title?: string;
  detail?: string;
  now?: number;
  reason?: string;
  errors?: { index: number; reason: string; detail: string }[];
}

export interface SignedAccessOptions {
  /** Where the endpoint is, such as `https://api.example.com`. */
  api: string;
  /** Returns the viewer's JWT; called for each request to the endpoint. */
  token: () => string | Promise<string>;
  /** For how long to sign, in seconds; without it as long as the viewer's grants allow. */
  expiresIn?: number;
  fetch?: typeof fetch;
  /** Milliseconds since the epoch. */
  now?: () => number;
  random?: () => number;
  /** As `setTimeout`. */
  schedule?: (callback: () => void, ms: number) => unknown;
}

export class SignedAccess {
  constructor(options: SignedAccessOptions);

  /** Returns the URL to open: signed, or as it is where cookies open it. */
  url(url: string | URL): Promise<string>;

  /** Does as `fetch()` does, with signed URLs or cookies. A refused GET is retried once. */
  fetch(url: string | URL, init?: RequestInit): Promise<Response>;

  /**
   * Shows what is at *url*; if it is refused, even midway, signs it anew and goes on where it was.
   *
   * Resolves when it has loaded, or something else is shown there. Rejects with a
   * SignedAccessError if it may not be opened, or cannot be loaded.
   */
  show(element: HTMLImageElement | HTMLMediaElement, url: string | URL): Promise<void>;

  /** Signs all of *folder*, such as `https://media.example.com/users/42/film/*`, at once. */
  folder(folder: string): void;

  /** Gets signed cookies for *folders*, and renews them in time until `clear()`. */
  cookies(folders: string[]): Promise<void>;

  /** Forgets what was signed, and deletes the cookies. Call it before the viewer signs out. */
  clear(): Promise<void>;

  /** Reports that CloudFront refused *url*; returns whether the next `url()` is worth a retry. */
  refused(url: string | URL): boolean;
}
