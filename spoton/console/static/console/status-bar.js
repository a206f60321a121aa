// How the run is doing: one line at the bottom, and a panel with the figures behind it.

import { fill, h, icon, setText } from "./dom.js";
import { clock, count, fixed } from "./format.js";
import { droppedBy } from "./model.js";

const STAGES = [["decode", "Decode"], ["detect", "Detect"], ["embed", "Appearance"], ["associate", "Associate"], ["record", "Record"]];

export class StatusBar {
  constructor({ timezone, onDetails }) {
    this.timezone = timezone;
    const metric = (label, title) => {
      const value = h("dd", {}, "–");
      this.items.push(h("div", { class: "metric", title }, h("dt", {}, label), value));
      return value;
    };
    this.items = [];
    this.connection = h("span", { class: "tag" });
    this.fps = metric("Processed", "Frames per second over all cameras");
    this.lag = metric("Lag", "From capture (or the pace of the recording) to the result");
    this.drops = metric("Dropped", "Frames left out, over all cameras");
    this.batches = metric("Batches", "Done of all");
    this.bar = h("div", { class: "progress-fill" });
    this.progress = h("div", { class: "progress", role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100 }, this.bar);
    this.percent = h("span", { class: "progress-text mono" });
    this.details = h("button", { class: "button small", type: "button", "aria-expanded": "false", "aria-controls": "run-details", onclick: onDetails }, icon("gauge", "small"), "Details");
    this.element = h("footer", { class: "status-bar", "aria-label": "Status of the run" },
      this.connection, h("dl", { class: "metrics" }, this.items),
      h("div", { class: "progress-box" }, this.progress, this.percent), this.details);
  }

  show(task) {
    setText(this.fps, task.frames_per_second ? `${fixed(task.frames_per_second)} fps` : "–");
    setText(this.lag, task.lag_s === null || task.lag_s === undefined ? "–" : `${fixed(task.lag_s)} s`);
    const dropped = droppedBy(task);
    // pictures are smaller, or instants left out, until the machine keeps up again
    const reduced = task.degradation ? ` · reduced ${"↓".repeat(task.degradation)}` : "";
    setText(this.drops, dropped.toLocaleString("en") + reduced);
    this.drops.classList.toggle("warn-text", dropped > 0);
    setText(this.batches, task.batches?.total ? `${task.batches.done} / ${task.batches.total}` : String(task.batches?.done ?? "–"));
    const known = typeof task.progress === "number";
    const percent = known ? Math.round(task.progress * 100) : null;
    this.progress.parentElement.hidden = !known;
    this.bar.style.width = `${percent ?? 0}%`;
    this.progress.setAttribute("aria-valuenow", percent ?? 0);
    setText(this.percent, known ? `${percent} %` : "");
  }

  showConnection({ tracking, frames }, running) {
    const [text, tone] = connectionWords(tracking.state, frames.state, running);
    this.connection.className = `tag ${tone}`;
    fill(this.connection, h("span", { class: "dot" }), text);
  }
}

function connectionWords(tracking, frames, running) {
  if (!running) return ["Finished", ""];
  if (tracking === "open") return frames === "open" ? ["Connected", "good"] : ["No pictures", "warn"];
  return tracking === "connecting" ? ["Connecting", "info"] : ["Reconnecting", "warn"];
}

/** The figures: timings per stage, cameras, engine. */
export class RunDetails {
  constructor({ environment }) {
    this.names = new Map(environment.cameras.map((camera) => [camera.id, camera.name]));
    this.timezone = environment.timezone;
    this.stages = h("tbody");
    this.cameras = h("tbody");
    this.engine = h("dl", { class: "engine" });
    this.problems = h("ul", { class: "problems" });
    const table = (caption, heads, body) => h("table", { class: "figures" }, h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads.map((head, i) => h("th", { scope: "col", class: i ? "number" : null }, head)))), body);
    this.element = h("section", { class: "panel run-details", id: "run-details", "aria-label": "Details of the run" },
      table("Time per stage", ["Stage", "Median", "95 %"], this.stages),
      table("Cameras", ["Camera", "Frames", "fps", "Dropped"], this.cameras),
      h("div", { class: "engine-box" }, h("h3", {}, "Engine"), this.engine, this.problems));
  }

  show(task) {
    const row = (...cells) => h("tr", {}, cells.map((cell, i) => h(i ? "td" : "th", i ? { class: "number mono" } : { scope: "row" }, cell)));
    const ms = (value) => (value === undefined || value === null ? "–" : `${fixed(value)} ms`);
    fill(this.stages, STAGES.map(([key, label]) => row(label, ms(task.stages?.[key]?.median_ms), ms(task.stages?.[key]?.p95_ms))));
    fill(this.cameras, task.cameras.map((id) => {
      const status = task.camera_status?.[id] ?? {};
      return row(h("span", {}, h("span", { class: "mono" }, id), ` ${this.names.get(id) ?? ""}`), (status.frames ?? 0).toLocaleString("en"), fixed(status.fps), String(status.dropped ?? 0));
    }));
    fill(this.engine, ["detector", "embedder"].flatMap((kind) => [
      h("dt", {}, kind === "detector" ? "Detector" : "Appearance"),
      h("dd", {}, h("strong", {}, task[kind]?.chosen ?? "not chosen yet"), task[kind]?.reason ? h("span", { class: "soft" }, ` ${task[kind].reason}`) : null),
    ]));
    this.#showProblems(task);
  }

  #showProblems(task) {
    const problems = Object.entries(task.camera_status ?? {}).flatMap(([id, status]) => (status.problems ?? []).map((problem) => ({ id, ...problem })));
    fill(this.problems, problems.slice(-4).map(({ id, message, at }) => h("li", {}, icon("alert", "small"),
      h("span", {}, h("span", { class: "mono" }, id), ` ${message}`, at ? h("span", { class: "faint" }, ` ${clock(Date.parse(at), this.timezone)}`) : null))),
      problems.length > 4 ? h("li", { class: "faint" }, `and ${count(problems.length - 4, "more", "more")}`) : null);
  }
}

