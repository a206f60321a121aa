// The jitter buffer. Updates and pictures arrive in bursts and on two sockets; this plays them at the pace at
// which they were captured, some way behind the newest, and pairs each picture with the boxes of its instant.

/** How a task is played. `delayMs` is how far behind the newest instant the playhead aims to be. */
export const PACES = {
  // the pace of the clock, unless the buffer runs dry or full
  realtime: { delayMs: 1500, calmFrom: 0.6, calmTo: 1.6, minRate: 0.2, maxRate: 4 },
  // as fast as it is processed: the playhead's speed follows the supply
  max: { delayMs: 1500, calmFrom: 1, calmTo: 1, minRate: 0.2, maxRate: 60 },
};

const MAX_INSTANTS = 900;
const MAX_PICTURES_PER_CAMERA = 90;
const SMOOTHING_MS = 1500; // bursts are about a second long; the controller must not chase them
const JUMP_MS = 12000; // further behind than this there is no catching up, only skipping
const RESTART_MS = 3000; // an instant this much older than the newest means that playback was moved

export class Playout {
  constructor(pace = "realtime") {
    this.pace = PACES[pace];
    this.reset();
  }

  reset() {
    this.instants = []; // {index, at, payload}, by time
    this.pictures = new Map(); // camera -> Map(index -> picture)
    this.shown = new Map(); // camera -> index of the last picture given out
    this.playhead = null; // capture time in ms
    this.newest = null;
    this.depth = 0; // smoothed distance from playhead to newest, ms
    this.firstArrival = null;
    this.lastTick = null;
    this.current = null;
    this.recent = []; // instants passed lately: their pictures may still arrive
    this.ended = false;
  }

  /** No more instants will come: play what is left without waiting. */
  end() {
    this.ended = true;
  }

  /** A `tracking_update` payload arrived at `now` (ms, any steady clock). */
  addUpdate(payload, now) {
    const at = Date.parse(payload.timestamp_captured_utc);
    if (!Number.isFinite(at)) return;
    if (this.newest !== null && at < this.newest - RESTART_MS) this.reset();
    const instant = { index: payload.global_frame_index, at, payload };
    if (this.playhead !== null && at <= this.playhead && this.current) return;
    if (this.instants.some((other) => other.index === instant.index)) return;
    this.firstArrival ??= now;
    this.ended = false;
    this.newest = Math.max(this.newest ?? at, at);
    let place = this.instants.length;
    while (place > 0 && this.instants[place - 1].at > at) place -= 1;
    this.instants.splice(place, 0, instant);
    if (this.instants.length > MAX_INSTANTS) this.instants.splice(0, this.instants.length - MAX_INSTANTS);
  }

  /** A picture of one camera arrived; `picture` is anything, `index` its global_frame_index. */
  addPicture(camera, index, picture) {
    const shown = this.shown.get(camera);
    if (shown !== undefined && index <= shown && index > shown - 600) return;
    let pictures = this.pictures.get(camera);
    if (!pictures) this.pictures.set(camera, (pictures = new Map()));
    pictures.set(index, picture);
    if (pictures.size > MAX_PICTURES_PER_CAMERA) pictures.delete(Math.min(...pictures.keys()));
  }

  /**
   * Moves the playhead to `now`.
   * @returns null when nothing changed, else {instant, next, views}: the instant to show, the one after it (or
   *   null), and per camera whose picture changed {index, payload, picture} of one and the same instant.
   */
  tick(now) {
    this.#advance(now);
    if (this.playhead === null) return null;
    const passed = [];
    while (this.instants.length && this.instants[0].at <= this.playhead) passed.push(this.instants.shift());
    const moved = passed.length > 0;
    if (moved) this.current = passed.at(-1);
    const views = this.#views(passed);
    if (!moved && views.size === 0) return null;
    return { instant: this.current, next: this.instants[0] ?? null, views };
  }

  /** How far the playhead is between the current instant and the next, 0..1, for smooth motion on the map. */
  fraction() {
    const next = this.instants[0];
    if (!this.current || !next || next.at <= this.current.at) return 0;
    return Math.min(1, Math.max(0, (this.playhead - this.current.at) / (next.at - this.current.at)));
  }

  #advance(now) {
    const elapsed = this.lastTick === null ? 0 : Math.min(Math.max(now - this.lastTick, 0), 1000);
    this.lastTick = now;
    if (this.newest === null) return;
    if (this.playhead === null) {
      const oldest = this.instants[0].at;
      const waited = now - this.firstArrival;
      const ready = this.newest - oldest >= this.pace.delayMs || waited >= this.pace.delayMs || this.ended;
      if (!ready) return;
      this.playhead = Math.max(oldest, this.newest - 2 * this.pace.delayMs);
      this.depth = this.newest - this.playhead;
      return;
    }
    const depth = this.newest - this.playhead;
    if (depth > JUMP_MS * Math.max(1, this.pace.maxRate / 8)) {
      this.playhead = this.newest - this.pace.delayMs;
      this.depth = this.pace.delayMs;
      return;
    }
    this.depth += (depth - this.depth) * (1 - Math.exp(-elapsed / SMOOTHING_MS));
    this.playhead = Math.min(this.newest, this.playhead + elapsed * this.#rate());
  }

  #rate() {
    const { delayMs, calmFrom, calmTo, minRate, maxRate } = this.pace;
    const fill = this.depth / delayMs;
    if (this.ended) return Math.max(1, Math.min(maxRate, fill));
    const rate = fill < calmFrom ? fill / calmFrom : fill > calmTo ? fill / calmTo : 1;
    return Math.min(maxRate, Math.max(minRate, rate));
  }

  /** The newest picture per camera whose instant has passed; older ones are let go. */
  #views(passed) {
    this.recent = [...this.recent, ...passed].slice(-MAX_PICTURES_PER_CAMERA);
    const views = new Map();
    for (const [camera, pictures] of this.pictures) {
      const match = this.recent.findLast((instant) => pictures.has(instant.index));
      if (!match) continue;
      if (match.index === this.shown.get(camera)) continue;
      views.set(camera, { index: match.index, payload: match.payload, picture: pictures.get(match.index) });
      this.shown.set(camera, match.index);
      for (const index of pictures.keys()) if (index <= match.index) pictures.delete(index);
    }
    return views;
  }
}
