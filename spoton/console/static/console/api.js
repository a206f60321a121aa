// The REST interface: one envelope, one error, tokens that renew themselves.

const STORE = "spoton-session";
const RENEW_BEFORE_MS = 60_000;
const TIMEOUT_MS = 20_000;

/** What the server (or the way to it) answered, in words for the user. `code` is the stable name. */
export class ApiError extends Error {
  constructor(status, code, message, details = {}) {
    super(message);
    Object.assign(this, { status, code, details });
  }
}

/** Signed-in state. Fires `signedout` with `detail.reason` when it ends. */
export class Session extends EventTarget {
  #tokens = null; // {access, refresh, expiresAt}
  #renewing = null;
  #timer = 0;
  user = null;

  constructor() {
    super();
    try {
      const stored = JSON.parse(sessionStorage.getItem(STORE));
      if (stored?.tokens?.refresh) this.#adopt(stored.tokens, stored.user);
    } catch {
      // nothing usable stored: sign in again
    }
  }

  get signedIn() {
    return this.#tokens !== null;
  }

  async signIn(username, password) {
    const data = await request("/api/v1/auth/login", { method: "POST", body: { username, password } });
    this.#adopt(withExpiry(data), data.user);
  }

  async signOut() {
    const refresh = this.#tokens?.refresh;
    this.#drop("signed_out");
    if (!refresh) return;
    // the server ends the session; when it cannot be reached the tokens are gone here all the same
    await request("/api/v1/auth/logout", { method: "POST", body: { refresh } }).catch(() => {});
  }

  /** An access token good for the next seconds; renewed first when about to expire. */
  async accessToken() {
    if (!this.#tokens) throw new ApiError(401, "not_authenticated", "Sign in to go on.");
    if (this.#tokens.expiresAt - Date.now() < 5000) await this.renew();
    return this.#tokens.access;
  }

  /**
   * Exchange the refresh token; many callers at once cause one exchange.
   * @param stale the access token that was refused: when it has been replaced meanwhile there is nothing to do
   */
  async renew(stale) {
    if (stale && this.#tokens && stale !== this.#tokens.access) return;
    this.#renewing ??= this.#exchange().finally(() => (this.#renewing = null));
    await this.#renewing;
  }

  async #exchange() {
    const refresh = this.#tokens?.refresh;
    try {
      const data = await request("/api/v1/auth/refresh", { method: "POST", body: { refresh } });
      if (this.#tokens) this.#adopt(withExpiry({ refresh, ...data }), this.user);
    } catch (error) {
      if (error.status >= 400 && error.status < 500 && error.status !== 429) this.#drop("expired");
      throw error;
    }
  }

  #adopt(tokens, user) {
    this.#tokens = tokens;
    this.user = user ?? this.user;
    sessionStorage.setItem(STORE, JSON.stringify({ tokens, user: this.user }));
    clearTimeout(this.#timer);
    const left = tokens.expiresAt - Date.now();
    const wait = Math.max(1000, left - Math.min(RENEW_BEFORE_MS, left / 4));
    // 32-bit timers: a wait beyond 24 days would fire at once
    this.#timer = setTimeout(() => this.renew().catch(() => {}), Math.min(wait, 2 ** 31 - 1));
  }

  #drop(reason) {
    if (!this.#tokens) return;
    this.#tokens = null;
    this.user = null;
    clearTimeout(this.#timer);
    sessionStorage.removeItem(STORE);
    this.dispatchEvent(new CustomEvent("signedout", { detail: { reason } }));
  }
}

export class Api {
  constructor(session) {
    this.session = session;
  }

  environments = () => this.#json("/api/v1/environments?limit=500");
  environment = (id) => this.#json(`/api/v1/environments/${encodeURIComponent(id)}`);
  dateRanges = (id) => this.#json(`/api/v1/environments/${encodeURIComponent(id)}/date-ranges`);
  activeTasks = () => this.#json("/api/v1/processing-tasks/active");
  task = (id) => this.#json(`/api/v1/processing-tasks/${encodeURIComponent(id)}/status`);
  startTask = (body) => this.#json("/api/v1/processing-tasks/start", { method: "POST", body });
  stopTask = (id) => this.#json(`/api/v1/processing-tasks/${encodeURIComponent(id)}/stop`, { method: "POST", body: {} });
  pauseTask = (id) => this.#json(`/api/v1/processing-tasks/${encodeURIComponent(id)}/pause`, { method: "POST", body: {} });
  resumeTask = (id) => this.#json(`/api/v1/processing-tasks/${encodeURIComponent(id)}/resume`, { method: "POST", body: {} });

  /** What a camera saw at a capture time (ISO), without boxes. */
  frame = (taskId, camera, at) =>
    this.image(`/api/v1/media/frames/${encodeURIComponent(taskId)}/${encodeURIComponent(camera)}/raw?t=${encodeURIComponent(at)}`);

  /** A picture behind authentication, as a Blob. */
  image = (url) => this.#authorised((token) => request(url, { token, blob: true }));

  #json(path, options = {}) {
    return this.#authorised((token) => request(path, { ...options, token }));
  }

  async #authorised(send) {
    const token = await this.session.accessToken();
    try {
      return await send(token);
    } catch (error) {
      if (error.status !== 401) throw error;
      await this.session.renew(token);
      return send(await this.session.accessToken());
    }
  }
}

function withExpiry(data) {
  const lifetimeS = data.expires_in ?? 300;
  return { access: data.access, refresh: data.refresh, expiresAt: Date.now() + lifetimeS * 1000 };
}

async function request(path, { method = "GET", body, token, blob = false } = {}) {
  const headers = { Accept: blob ? "image/*, application/json" : "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError(0, "unreachable", "SpotOn cannot be reached. Check that it is running and that you are online, then try again.");
  }
  if (response.status === 204) return null;
  if (response.ok && blob) return response.blob();
  const answer = await response.json().catch(() => null);
  if (response.ok && answer?.success) return answer.data;
  throw errorOf(response, answer);
}

function errorOf(response, answer) {
  const { status } = response;
  if (status === 429) {
    const wait = Number(response.headers.get("Retry-After"));
    const when = wait > 0 ? `in ${wait} s` : "in a minute";
    return new ApiError(status, "throttled", `Too many attempts. Try again ${when}.`);
  }
  const error = answer?.error;
  if (error?.message) return new ApiError(status, error.code, error.message, error.details);
  return new ApiError(status, "server_error", `SpotOn answered with an unexpected error (${status}). Try again; if it stays, ask an administrator to look at the log.`);
}
