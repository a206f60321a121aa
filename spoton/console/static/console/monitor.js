// A run as it happens: cameras, map, people, state. Puts the parts together; each part is in a file of its own.

import { CameraView } from "./camera-view.js";
import { CLOSE } from "./client/index.js";
import { fill, h, icon, setText } from "./dom.js";
import { clock, count, day } from "./format.js";
import { peopleOf, Trails } from "./instant.js";
import { MapView } from "./map-view.js";
import { environmentOf, modeOf, RUNNING, statusOf } from "./model.js";
import { announce, failure, notice, NoticeBox } from "./notices.js";
import { PersonsList } from "./persons-list.js";
import { Selection } from "./selection.js";
import { RunDetails, StatusBar } from "./status-bar.js";
import { TaskFeed } from "./task-feed.js";

const DETAILS_FROM_PX = 140; // they open by themselves where the cameras leave so much room below them

export function monitorPage({ api, session, taskId, onTitle }) {
  const element = h("main", { id: "main", class: "monitor-page", tabindex: "-1", "aria-busy": "true" },
    h("h1", { class: "visually-hidden", tabindex: "-1" }, "Run"),
    h("div", { class: "skeleton monitor-skeleton" }));
  let monitor = null;
  let gone = false;

  async function load() {
    try {
      const task = await api.processingTasksStatus({ task_id: taskId });
      const environment = environmentOf(await api.environmentsRetrieve({ env_id: task.environment_id }));
      if (gone) return;
      onTitle(environment.name, environment.id);
      monitor = new Monitor({ api, session, task, environment, element });
    } catch (error) {
      if (!gone) fill(element, h("div", { class: "page" }, failure(error, error.status === 404 ? null : load),
        h("p", {}, h("a", { class: "button small", href: "#/" }, icon("back", "small"), "To the environments"))));
    }
    element.removeAttribute("aria-busy");
  }

  load();
  return {
    element,
    title: "Run",
    destroy() {
      gone = true;
      monitor?.destroy();
    },
  };
}

class Monitor {
  constructor({ api, session, task, environment, element }) {
    Object.assign(this, { api, environment, element });
    this.selection = new Selection();
    this.trails = new Trails();
    this.status = null;
    this.walkers = []; // people of the shown instant, as the map wants them
    this.expanded = null;
    this.lost = false;
    this.map = new MapView({ environment, selection: this.selection });
    if (environment.planUrl) this.map.loadPlan(api, environment.planUrl);
    this.persons = new PersonsList({ selection: this.selection, timezone: environment.timezone });
    this.bar = new StatusBar({ timezone: environment.timezone, onDetails: () => this.toggleDetails() });
    this.details = new RunDetails({ environment });
    this.views = new Map(environment.cameras.filter((camera) => task.cameras.includes(camera.id)).map((camera) => [camera.id,
      new CameraView({ camera, selection: this.selection, onExpand: (id) => this.expand(id), onHover: (id) => this.map.highlightCamera(id) })]));
    this.#build();
    this.feed = new TaskFeed({ api, session, task });
    this.feed.addEventListener("task", ({ detail }) => this.showTask(detail));
    this.feed.addEventListener("connection", ({ detail }) => this.showConnection(detail));
    this.feed.addEventListener("instant", ({ detail }) => this.showInstant(detail));
    this.feed.addEventListener("motion", ({ detail }) => this.map.show(this.walkers, detail));
    this.showTask(task);
    this.showConnection(this.feed.states);
    this.timer = setInterval(() => this.#everySecond(), 1000);
    this.onKey = (event) => this.#key(event);
    addEventListener("keydown", this.onKey);
  }

  destroy() {
    clearInterval(this.timer);
    removeEventListener("keydown", this.onKey);
    this.feed.close();
    this.map.destroy();
    this.persons.destroy();
    for (const view of this.views.values()) view.destroy();
  }

  #build() {
    this.state = h("span", { class: "tag" });
    this.mode = h("span", { class: "soft run-mode" });
    this.time = h("time", { class: "run-time mono" }, "--:--:--");
    this.date = h("span", { class: "faint run-date" });
    this.total = h("strong", { class: "mono" }, "0");
    this.stopButton = this.environment.mayControl
      ? h("button", { class: "button danger small stop", type: "button", onclick: () => this.stop() }, icon("stop", "small"), "Stop") : null;
    this.pauseButton = this.environment.mayControl
      ? h("button", { class: "button small pause", type: "button", onclick: () => this.pause() }, icon("pause", "small"), "Pause") : null;
    this.again = h("a", { class: "button small", href: `#/e/${encodeURIComponent(this.environment.id)}`, hidden: true }, icon("back", "small"), this.environment.mayControl ? "New run" : "Back");
    this.notices = new NoticeBox({ class: "run-notices" });
    this.grid = h("div", { class: "camera-grid", data: { count: this.views.size } }, [...this.views.values()].map((view) => view.element));
    this.details.element.hidden = true;
    fill(this.element,
      h("h1", { class: "visually-hidden", tabindex: "-1" }, `${this.environment.name}, run`),
      h("div", { class: "run-bar" }, this.state, this.mode,
        h("div", { class: "run-clock" }, icon("clock", "small"), this.time, this.date),
        h("div", { class: "run-total", title: "People in view now" }, icon("people", "small"), this.total, h("span", { class: "soft" }, "in view")),
        this.again, this.pauseButton, this.stopButton),
      this.notices.element,
      h("div", { class: "run-body" },
        h("section", { class: "run-cameras", "aria-label": "Cameras" }, this.grid, this.details.element),
        h("div", { class: "run-side" },
          h("section", { class: "panel run-map", "aria-label": "Map" }, this.map.element),
          this.persons.element)),
      this.bar.element);
    const { clientWidth, clientHeight } = this.grid;
    this.details.element.hidden = clientHeight - (clientWidth * 9) / 16 < DETAILS_FROM_PX;
    this.bar.details.setAttribute("aria-expanded", String(!this.details.element.hidden));
  }

  toggleDetails() {
    const { element } = this.details;
    element.hidden = !element.hidden;
    this.bar.details.setAttribute("aria-expanded", String(!element.hidden));
    if (element.hidden) return;
    this.details.show(this.feed.task);
    element.scrollIntoView({ block: "nearest" });
  }

  expand(id) {
    this.expanded = this.expanded === id ? null : id;
    this.grid.classList.toggle("has-expanded", this.expanded !== null);
    for (const [camera, view] of this.views) {
      view.element.classList.toggle("expanded", camera === this.expanded);
      view.setExpanded(camera === this.expanded);
    }
  }

  async stop() {
    this.stopButton.disabled = true;
    fill(this.stopButton, h("span", { class: "busy" }), "Stopping");
    try {
      this.showTask(await this.api.processingTasksStop({ task_id: this.feed.task.task_id }));
    } catch (error) {
      this.notices.show(`stop-${error.code}`, () => notice("bad", `The run was not stopped. ${error.message}`));
    }
    this.stopButton.disabled = false;
    fill(this.stopButton, icon("stop", "small"), "Stop");
  }

  /** Pause, or go on. */
  async pause() {
    const { task_id, status } = this.feed.task;
    const paused = status === "PAUSED";
    this.pauseButton.disabled = true;
    try {
      this.showTask(await (paused ? this.api.processingTasksResume({ task_id }) : this.api.processingTasksPause({ task_id })));
    } catch (error) {
      this.notices.show(`pause-${error.code}`, () => notice("bad", `The run was not ${paused ? "resumed" : "paused"}. ${error.message}`));
    }
    this.pauseButton.disabled = false;
  }

  showTask(task) {
    const [word, tone] = statusOf(task);
    const running = RUNNING.has(task.status);
    if (this.status !== task.status) {
      this.status = task.status;
      this.state.className = `tag ${tone}${task.status === "PROCESSING" ? " pulse" : ""}`;
      fill(this.state, h("span", { class: "dot" }), task.mode === "live" && task.status === "PROCESSING" ? "Live" : word);
      announce(task.status === "FAILED" ? `Run failed. ${task.error?.message ?? ""}` : `Run: ${word}`);
      if (this.stopButton) this.stopButton.hidden = !running;
      if (this.pauseButton) {
        const paused = task.status === "PAUSED";
        this.pauseButton.hidden = !paused && task.status !== "PROCESSING";
        fill(this.pauseButton, icon(paused ? "play" : "pause", "small"), paused ? "Resume" : "Pause");
      }
      this.again.hidden = running;
      this.#showOutcome(task);
      this.#setWaiting(task);
    }
    setText(this.mode, modeOf(task));
    this.bar.show(task);
    if (!this.details.element.hidden) this.details.show(task);
    if (this.feed) this.bar.showConnection(this.feed.states, running);
  }

  #setWaiting(task) {
    const words = { QUEUED: "Waiting for a free worker", INITIALIZING: "Starting the engine", PROCESSING: "Waiting for pictures", PAUSED: "Paused" };
    for (const view of this.views.values()) view.setWaiting(words[task.status] ?? "No picture arrived");
  }

  #showOutcome(task) {
    const { status } = task;
    if (status === "FAILED") {
      const message = task.error?.message ?? "The engine gave no reason; an administrator finds it in the log.";
      this.notices.show("failed", () => notice("bad", [h("strong", {}, "The run failed. "), message]));
    } else if (status === "COMPLETED" || status === "STOPPED") {
      const frames = Object.values(task.camera_status ?? {}).reduce((sum, camera) => sum + (camera.frames ?? 0), 0);
      const what = status === "COMPLETED" ? "The run is complete" : "The run was stopped";
      this.notices.show(status, () => notice(status === "COMPLETED" ? "good" : "info", [h("strong", {}, `${what}: `), `${count(frames, "frame")} processed from ${count(task.cameras.length, "camera")}. You see its last moment.`]));
    } else {
      this.notices.clear();
    }
  }

  showConnection(states) {
    const running = RUNNING.has(this.feed.task.status);
    this.bar.showConnection(states, running);
    if (!running) return;
    const { tracking } = states;
    if (tracking.state === "closed") {
      const words = {
        [CLOSE.notAuthenticated]: "Your session has ended. Sign in again to go on watching.",
        [CLOSE.notAllowed]: "You may not watch this run. Ask an administrator for a role in this environment.",
        [CLOSE.unknown]: "This run does not exist any more. Go back and start a new one.",
      };
      const text = words[tracking.code];
      if (text) this.notices.show(`closed-${tracking.code}`, () => notice("bad", text));
      return;
    }
    if (tracking.state === "open") {
      if (this.lost) {
        this.lost = false;
        announce("Connected again");
        this.notices.clear();
      }
    } else if (tracking.state === "waiting") {
      if (!this.lost) announce("Connection lost, trying again");
      this.lost = true;
      this.retryAt = tracking.retryAt;
      this.notices.show("lost", () => notice("warn", [h("strong", {}, "Connection lost. "), this.countdown = h("span", {})],
        h("button", { class: "button small", type: "button", onclick: () => this.feed.retryNow() }, "Try now")));
      this.#countDown();
    }
  }

  #countDown() {
    if (!this.lost || !this.countdown) return;
    const seconds = Math.max(0, Math.ceil((this.retryAt - Date.now()) / 1000));
    setText(this.countdown, seconds ? `The run goes on; trying again in ${seconds} s.` : "The run goes on; trying again.");
  }

  showInstant({ instant, next, views, fraction }) {
    const { payload, at } = instant;
    const people = peopleOf(payload);
    const upcoming = next ? peopleOf(next.payload) : new Map();
    this.trails.add(at, people);
    this.walkers = [...people.values()].filter(({ position }) => position).map((person) => ({
      id: person.id, position: person.position, nextPosition: upcoming.get(person.id)?.position, heading: this.trails.heading(person),
      trail: this.trails.of(person.id).map((point) => point.position),
    }));
    this.map.show(this.walkers, fraction);
    this.persons.show(people, at);
    for (const [camera, { index, payload: own, picture }] of views) this.views.get(camera)?.show(index, picture, own.cameras[camera]?.tracks ?? []);
    for (const [camera, view] of this.views) view.setCount(payload.person_count_per_camera?.[camera] ?? payload.cameras[camera]?.tracks?.length ?? 0);
    setText(this.total, String([...people.values()].filter(({ cameras }) => cameras.length).length));
    setText(this.time, clock(at, this.environment.timezone));
    setText(this.date, day(at, this.environment.timezone));
    this.time.dateTime = payload.timestamp_captured_utc;
    this.element.dataset.frame = payload.global_frame_index;
  }

  #everySecond() {
    const running = this.feed.task.status === "PROCESSING";
    const now = performance.now();
    for (const view of this.views.values()) view.checkStale(now, running);
    this.#countDown();
  }

  #key(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (this.selection.pinned) this.selection.pin(null);
    else if (this.expanded) this.expand(this.expanded);
  }
}
