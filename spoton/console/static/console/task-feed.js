// Everything that comes from a running task: two sockets, one jitter buffer. Knows nothing of the page.

import { CLOSE, ReconnectingSocket } from "./client/index.js";
import { RUNNING } from "./model.js";
import { Playout } from "./playout.js";

const RATES = [15, 8, 4, 2]; // pictures per second and camera asked for; the next lower one when we are too slow
const HIDDEN_RATE = 1;
const LAST_PICTURES_AFTER_MS = 2500; // what is still in the buffer is played out first

/**
 * Events: `task` (detail: the task), `connection` (detail: {tracking, frames}, states of the sockets),
 * `instant` (detail: what Playout.tick returns, plus `fraction`), `motion` (detail: fraction, between instants).
 */
export class TaskFeed extends EventTarget {
  #raf = 0;
  #rate = 0;

  constructor({ api, session, task }) {
    super();
    this.api = api;
    this.task = task;
    this.states = { tracking: { state: "connecting" }, frames: { state: "connecting" } };
    this.playout = new Playout(task.mode === "recorded" && task.pacing === "max" ? "max" : "realtime");
    const check = async () => this.#setTask(await api.processingTasksStatus({ task_id: task.task_id }));
    this.tracking = new ReconnectingSocket({
      path: `/ws/tracking/${task.task_id}`, session, check,
      onMessage: (message) => this.#onMessage(message),
      onState: (state) => this.#onState("tracking", state),
    });
    this.frames = new ReconnectingSocket({
      path: `/ws/frames/${task.task_id}`, session, check,
      onMessage: (message) => this.#onFrame(message),
      onState: (state) => this.#onState("frames", state),
      subscribe: this.#wanted(),
    });
    this.onVisibility = () => this.frames.subscribe(this.#wanted());
    document.addEventListener("visibilitychange", this.onVisibility);
    this.#raf = requestAnimationFrame((now) => this.#tick(now));
  }

  close() {
    cancelAnimationFrame(this.#raf);
    clearTimeout(this.lastPictures);
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.tracking.close();
    this.frames.close();
  }

  retryNow() {
    this.tracking.retryNow();
    this.frames.retryNow();
  }

  #wanted() {
    return { cameras: this.task.cameras, max_rate: document.hidden ? HIDDEN_RATE : RATES[this.#rate] };
  }

  #onMessage(message) {
    if (message.type === "task_status") this.#setTask(message.payload);
    else if (message.type === "tracking_update") this.playout.addUpdate(message.payload, performance.now());
    else if (message.type === "error") console.warn("SpotOn refused a message:", message.error);
  }

  #onFrame({ type, header, blob }) {
    if (type === "frame") this.playout.addPicture(header.camera_id, header.global_frame_index, blob);
  }

  #onState(socket, state) {
    if (socket === "frames" && state.code === CLOSE.tooSlow) {
      this.#rate = Math.min(this.#rate + 1, RATES.length - 1);
      this.frames.subscribe(this.#wanted());
    }
    this.states = { ...this.states, [socket]: state };
    if (state.code === CLOSE.ended) this.#ended();
    this.dispatchEvent(new CustomEvent("connection", { detail: this.states }));
  }

  /** The sockets ended with the task; its last words come from REST in case the socket lost them. */
  async #ended() {
    this.playout.end();
    this.lastPictures ??= setTimeout(() => this.#fetchLastPictures(), LAST_PICTURES_AFTER_MS);
    try {
      this.#setTask(await this.api.processingTasksStatus({ task_id: this.task.task_id }));
    } catch {
      // what the socket said last stands
    }
  }

  /** The sockets of a task that ended before we came carry no pictures: its last moment comes from REST. */
  async #fetchLastPictures() {
    const last = this.playout.current;
    if (!last) return;
    const missing = this.task.cameras.filter((camera) => !this.playout.shown.has(camera));
    await Promise.all(missing.map(async (camera) => {
      try {
        const blob = await this.api.mediaFrameRaw({ task_id: this.task.task_id, camera_id: camera, t: last.payload.timestamp_captured_utc });
        this.playout.addPicture(camera, last.index, blob);
      } catch {
        // the recording may be gone; the camera's placeholder says that there is no picture
      }
    }));
  }

  #setTask(task) {
    this.task = task;
    if (!RUNNING.has(task.status)) this.playout.end();
    this.dispatchEvent(new CustomEvent("task", { detail: task }));
  }

  #tick(now) {
    this.#raf = requestAnimationFrame((next) => this.#tick(next));
    const changed = this.playout.tick(now);
    const fraction = this.playout.fraction();
    if (changed) this.dispatchEvent(new CustomEvent("instant", { detail: { ...changed, fraction } }));
    else if (fraction > 0) this.dispatchEvent(new CustomEvent("motion", { detail: fraction }));
  }
}
