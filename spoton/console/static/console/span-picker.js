// A span of the recordings: which recorded stretch, and which part of it, above the cameras' coverage.

import { fill, h, icon } from "./dom.js";
import { clock, day, duration } from "./format.js";

const STEP_MS = 1000;
const SHORTEST_MS = 2000;

export function spanPicker({ environment, ranges }) {
  const zone = environment.timezone;
  let span = ranges.spans[0];
  const choice = h("select", { class: "select", id: "span", onchange: () => choose(ranges.spans[choice.selectedIndex]) },
    ranges.spans.map((s) => h("option", {}, `${day(s.start, zone)}, ${clock(s.start, zone)} · ${duration(s.end - s.start)}`)));
  const from = slider("from", "From");
  const to = slider("to", "To");
  const chosen = h("div", { class: "range-chosen" });
  const track = h("div", { class: "range-track" });
  const coverage = h("div", { class: "coverage", "aria-hidden": "true" });
  const text = h("output", { class: "range-text", for: "from to" });

  function slider(id, label) {
    return h("input", { type: "range", id, min: 0, step: STEP_MS, class: "range-input", "aria-label": label, oninput: () => moved(id) });
  }

  function choose(next) {
    span = next;
    const length = Math.floor((span.end - span.start) / STEP_MS) * STEP_MS || STEP_MS;
    for (const input of [from, to]) input.max = length;
    from.value = 0;
    to.value = length;
    drawCoverage();
    show();
  }

  /** The thumbs may touch but never pass each other. */
  function moved(id) {
    const gap = Math.min(SHORTEST_MS, Number(to.max));
    if (id === "from") from.value = Math.min(Number(from.value), Number(to.value) - gap);
    else to.value = Math.max(Number(to.value), Number(from.value) + gap);
    show();
  }

  function bounds() {
    const whole = Number(to.value) >= Number(to.max);
    return [span.start + Number(from.value), whole ? span.end : span.start + Number(to.value)];
  }

  function show() {
    const [start, end] = bounds();
    const length = Number(to.max);
    chosen.style.left = `${(100 * from.value) / length}%`;
    chosen.style.right = `${100 - (100 * to.value) / length}%`;
    from.setAttribute("aria-valuetext", clock(start, zone));
    to.setAttribute("aria-valuetext", clock(end, zone));
    fill(text, h("span", { class: "mono" }, `${clock(start, zone)} – ${clock(end, zone)}`), h("span", { class: "soft" }, duration(end - start)));
  }

  function drawCoverage() {
    const length = span.end - span.start;
    const percent = (ms) => `${(100 * Math.min(Math.max(ms - span.start, 0), length)) / length}%`;
    fill(coverage, environment.cameras.map((camera) => {
      const bars = (ranges.cameras.get(camera.id) ?? [])
        .filter((s) => s.start < span.end && s.end > span.start)
        .map((s) => {
          const bar = h("span", { class: "coverage-bar" });
          bar.style.left = percent(s.start);
          bar.style.right = `calc(100% - ${percent(s.end)})`;
          return bar;
        });
      return h("div", { class: "coverage-row" }, h("span", { class: "mono faint" }, camera.id), h("span", { class: "coverage-track" }, bars));
    }));
  }

  fill(track, chosen, from, to);
  const element = h("div", { class: "field" },
    h("label", { for: "span" }, "Recorded span"),
    h("div", { class: "select-box" }, choice, icon("down", "small")),
    h("div", { class: "range" }, text, coverage, track,
      h("p", { class: "faint small-text range-zone" }, `Times in ${zone.replaceAll("_", " ")}`)));
  choose(span);
  return {
    element,
    value() {
      const [start, end] = bounds();
      return { start: new Date(start).toISOString(), end: new Date(end).toISOString() };
    },
  };
}
