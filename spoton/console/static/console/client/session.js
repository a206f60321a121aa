// Being signed in: tokens that renew themselves and outlive a reload of the page.

import { ApiError, request } from "./request.js";

const STORE = "spoton-session";
const RENEW_BEFORE_MS = 60_000;

/** Signed-in state. Fires `signedout` with `detail.reason` when it ends. */
export class Session extends EventTarget {
  #tokens = null; // {access, refresh, expiresAt}
  #renewing = null;
  #timer = 0;
  user = null;

  /** @param options.baseUrl of SpotOn, such as "https://spoton.example"; left out: where this page comes from */
  constructor({ baseUrl = location.origin } = {}) {
    super();
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.store = this.baseUrl === location.origin ? STORE : `${STORE} ${this.baseUrl}`;
    try {
      const stored = JSON.parse(sessionStorage.getItem(this.store));
      if (stored?.tokens?.refresh) this.#adopt(stored.tokens, stored.user);
    } catch {
      // nothing usable stored: sign in again
    }
  }

  get signedIn() {
    return this.#tokens !== null;
  }

  /** The address of a path of SpotOn. */
  url(path) {
    return this.baseUrl + path;
  }

  async signIn(username, password) {
    const { data } = await this.#post("login", { username, password });
    this.#adopt(withExpiry(data), data.user);
  }

  async signOut() {
    const refresh = this.#tokens?.refresh;
    this.#drop("signed_out");
    if (!refresh) return;
    // the server ends the session; when it cannot be reached the tokens are gone here all the same
    await this.#post("logout", { refresh }).catch(() => {});
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

  #post(what, body) {
    return request(this.url(`/api/v1/auth/${what}`), { method: "POST", body });
  }

  async #exchange() {
    const refresh = this.#tokens?.refresh;
    try {
      const { data } = await this.#post("refresh", { refresh });
      if (this.#tokens) this.#adopt(withExpiry({ refresh, ...data }), this.user);
    } catch (error) {
      if (error.status >= 400 && error.status < 500 && error.status !== 429) this.#drop("expired");
      throw error;
    }
  }

  #adopt(tokens, user) {
    this.#tokens = tokens;
    this.user = user ?? this.user;
    sessionStorage.setItem(this.store, JSON.stringify({ tokens, user: this.user }));
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
    sessionStorage.removeItem(this.store);
    this.dispatchEvent(new CustomEvent("signedout", { detail: { reason } }));
  }
}

function withExpiry(data) {
  const lifetimeS = data.expires_in ?? 300;
  return { access: data.access, refresh: data.refresh, expiresAt: Date.now() + lifetimeS * 1000 };
}
