// A WebSocket that comes back by itself, with growing pauses, and knows when there is no use in coming back.

import { Conversation } from "./conversation.js";

const PING_MS = 15_000;
const SILENT_MS = 40_000; // nothing heard for this long, not even a pong: the connection is dead
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

export const CLOSE = { notAuthenticated: 4401, notAllowed: 4403, unknown: 4404, tooSlow: 4408, ended: 4409 };
const FINAL = new Set([CLOSE.notAllowed, CLOSE.unknown, CLOSE.ended]);

/** Pause before attempt number `attempt` (from 0), with jitter so that many browsers do not return together. */
export function pauseBefore(attempt, random = Math.random()) {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.75 + 0.5 * random);
}

/**
 * States, through `onState({state, code?, retryAt?})`: "connecting", "open", "waiting" (will retry at
 * `retryAt`), "closed" (for good, with the close code).
 */
export class ReconnectingSocket {
  #socket = null;
  #attempt = 0;
  #timer = 0;
  #pinger = 0;
  #lastHeard = 0;
  #stopped = false;

  /**
   * @param options.path such as /ws/tracking/{id}
   * @param options.session gives and renews the token
   * @param options.onMessage receives messages: tracking updates always in full, pictures as {type: "frame", header, blob}
   * @param options.subscribe options of the socket, such as {mode: "delta", cameras: ["c01"]}; kept over reconnects
   * @param options.check awaited before each reconnect; throws an ApiError of 4xx when there is no use
   */
  constructor({ path, session, onMessage, onState = () => {}, subscribe = {}, check = async () => {} }) {
    Object.assign(this, { path, session, onMessage, onState, check });
    this.conversation = new Conversation(subscribe, (message) => this.send(message));
    this.onlineListener = () => this.retryNow();
    addEventListener("online", this.onlineListener);
    this.#connect();
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Change some of the options; they hold for later connections too. */
  subscribe(options) {
    this.conversation.subscribe(options);
  }

  retryNow() {
    if (this.#stopped || this.#socket) return;
    clearTimeout(this.#timer);
    this.#reconnect();
  }

  close() {
    this.#stopped = true;
    removeEventListener("online", this.onlineListener);
    clearTimeout(this.#timer);
    clearInterval(this.#pinger);
    this.#socket?.close(1000);
    this.#socket = null;
  }

  async #reconnect() {
    try {
      await this.check();
    } catch (error) {
      if ([401, 403, 404].includes(error.status)) return this.#finish(4000 + error.status);
      return this.#wait();
    }
    this.#connect();
  }

  async #connect() {
    if (this.#stopped) return;
    this.onState({ state: "connecting" });
    let token;
    try {
      token = await this.session.accessToken();
    } catch (error) {
      if (error.status === 401) return this.#finish(CLOSE.notAuthenticated);
      return this.#wait();
    }
    if (this.#stopped) return;
    const socket = new WebSocket(this.session.url(this.path).replace(/^http/, "ws"), ["bearer", token]);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      this.#lastHeard = Date.now();
      this.#pinger = setInterval(() => this.#ping(), PING_MS);
      this.conversation.opened();
      this.onState({ state: "open" });
    };
    socket.onmessage = ({ data }) => {
      this.#lastHeard = Date.now();
      this.#attempt = 0; // not on open: a server that accepts and then refuses must not be hammered
      for (const message of this.#read(data)) this.onMessage(message);
    };
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      clearInterval(this.#pinger);
      this.#closed(code, token);
    };
  }

  #read(data) {
    try {
      return this.conversation.received(data);
    } catch (error) {
      console.warn("A message was damaged on its way:", error.message);
      return [];
    }
  }

  #closed(code, token) {
    if (this.#stopped) return;
    if (FINAL.has(code)) return this.#finish(code);
    if (code !== CLOSE.notAuthenticated) return this.#wait(code);
    // the token ran out while connected
    this.session.renew(token).then(() => this.#wait(), (error) => (error.status === 401 ? this.#finish(code) : this.#wait()));
  }

  #wait(code) {
    if (this.#stopped) return;
    const pause = pauseBefore(this.#attempt);
    this.#attempt += 1;
    this.onState({ state: "waiting", code, retryAt: Date.now() + pause });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#reconnect(), pause);
  }

  #finish(code) {
    if (this.#stopped) return;
    this.close();
    this.onState({ state: "closed", code });
  }

  #ping() {
    if (Date.now() - this.#lastHeard > SILENT_MS) {
      const socket = this.#socket;
      this.#socket = null;
      clearInterval(this.#pinger);
      socket?.close();
      this.#wait();
      return;
    }
    this.send({ type: "ping" });
  }
}
