// What is said over one socket: numbers, acknowledgements, options, deltas. Sends nothing by itself.

import { applied } from "./delta.js";
import { parseFrame } from "./frames.js";

// SpotOn is told what arrived about twice a second; it stops sending pictures 200 ahead of what it was told
const ACK_EVERY_MS = 500;
const ACK_EVERY = 50;

export class Conversation {
  #shown = null;

  /**
   * @param options of `subscribe`, sent again on every connection; empty: SpotOn's own
   * @param reply called with every message that is to be sent
   */
  constructor(options, reply) {
    this.options = options;
    this.reply = reply;
    this.opened();
  }

  /** A new connection: numbers begin again. */
  opened() {
    this.seq = 0;
    this.acknowledged = 0;
    this.acknowledgedAt = -Infinity;
    this.bases = new Map(); // full payloads that deltas may build on, by seq
    this.asked = false;
    this.agreed = Object.keys(this.options).length === 0;
    this.snapshot = true;
    this.healing = false;
  }

  /** Change some of the options. */
  subscribe(options) {
    this.options = { ...this.options, ...options };
    // before its first message the server does not know yet who is asking
    if (this.seq > 0 || this.asked) this.#ask();
  }

  /** What the page is to see of a message of the server: objects with `type`; pictures are {type: "frame", header, blob}. */
  received(data, now = performance.now()) {
    if (typeof data !== "string") return this.#picture(data, now);
    const message = JSON.parse(data);
    const shown = this.#text(message, now);
    if (!this.asked && message.type !== "error" && Object.keys(this.options).length) this.#ask();
    return shown;
  }

  #picture(data, now) {
    const frame = { type: "frame", ...parseFrame(data) };
    this.#count(frame.header.seq, true);
    this.#acknowledge(frame.header.seq, now);
    return this.agreed ? [frame] : [];
  }

  #text(message, now) {
    switch (message.type) {
      case "pong": return [];
      case "error": return [message];
      case "subscribed":
        this.agreed ||= this.asked;
        return [message];
      case "batch": return message.messages.flatMap((inner) => this.#numbered(inner, now));
      default: return this.#numbered(message, now);
    }
  }

  #ask() {
    this.asked = true;
    this.reply({ type: "subscribe", ...this.options });
  }

  #numbered(message, now) {
    let { payload } = message;
    this.#count(message.seq, !payload.delta);
    if (message.type === "tracking_update") {
      payload = this.#full(message.seq, payload, now);
      if (!payload || this.#seen(payload)) return [];
    } else if (message.type === "playback_frame") {
      payload = { ...payload, frame_data: this.#chosen(payload.frame_data) };
    }
    return [{ ...message, payload }];
  }

  #count(seq, whole) {
    if (seq !== this.seq + 1) this.#heal();
    else if (whole) this.healing = false;
    this.seq = seq;
  }

  #heal() {
    if (this.healing) return;
    this.healing = this.snapshot = true;
    this.reply({ type: "resync" });
  }

  /** The payload in full; null when it builds on what is not here. */
  #full(seq, payload, now) {
    let full = payload;
    if (payload.delta) {
      const base = this.bases.get(payload.base_seq);
      if (!base) {
        this.#heal();
        return null;
      }
      for (const older of this.bases.keys()) if (older < payload.base_seq) this.bases.delete(older);
      full = applied(base, payload);
    }
    if (this.options.mode === "delta" && this.agreed && this.#acknowledge(seq, now)) this.bases.set(seq, full);
    return this.#chosen(full);
  }

  /** Before the options are known SpotOn sends every camera. */
  #chosen(payload) {
    const { cameras: wanted } = this.options;
    if (!wanted || this.agreed) return payload;
    const cut = (values) => Object.fromEntries(Object.entries(values).filter(([camera]) => wanted.includes(camera)));
    return { ...payload, cameras: cut(payload.cameras), person_count_per_camera: cut(payload.person_count_per_camera) };
  }

  /** Whether it is the instant that was shown last, told again by a snapshot. */
  #seen(payload) {
    const instant = `${payload.global_frame_index} ${payload.timestamp_captured_utc}`;
    const again = this.snapshot && instant === this.#shown;
    this.snapshot = false;
    this.#shown = instant;
    return again;
  }

  /** Tell the server, when it is time; whether it is. */
  #acknowledge(seq, now) {
    if (now - this.acknowledgedAt < ACK_EVERY_MS && seq - this.acknowledged < ACK_EVERY) return false;
    this.acknowledged = seq;
    this.acknowledgedAt = now;
    this.reply({ type: "ack", seq });
    return true;
  }
}
