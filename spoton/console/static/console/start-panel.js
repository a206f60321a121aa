// What to process and how: a span of the recordings or the live cameras, the pace, cameras and engine.

import { fill, h, icon } from "./dom.js";
import { count } from "./format.js";
import { notice } from "./notices.js";
import { spanPicker } from "./span-picker.js";

// those that need no path to a file of weights on the server; automatic finds installed weights by itself
const DETECTORS = [["auto", "Automatic"], ["motion", "Motion, calibrated"], ["fasterrcnn", "Faster R-CNN"]];
const EMBEDDERS = [["auto", "Automatic"], ["descriptor", "Colour and texture"], ["clip", "CLIP"]];

/** @param onStart async, receives the body of the start request without environment_id; may throw an ApiError */
export function startPanel({ environment, ranges, onStart }) {
  const hasRecordings = ranges.spans.length > 0;
  const hasLive = environment.cameras.some((camera) => camera.hasLive);
  if (!hasRecordings && !hasLive) return nothingToProcess(environment);
  const picker = hasRecordings ? spanPicker({ environment, ranges }) : null;
  const messages = h("div", { class: "start-messages" });
  const button = h("button", { class: "button primary large", type: "submit" }, icon("play"), "Start");
  const mode = segments("mode", "Source", [
    ["recorded", "Recording", "film", !hasRecordings && "Nothing is recorded here yet."],
    ["live", "Live", "live", !hasLive && "No camera here has a live address."],
  ], hasRecordings ? "recorded" : "live");
  const pacing = segments("pacing", "Pace", [["realtime", "Real time", "clock"], ["max", "As fast as possible", "gauge"]], "realtime");
  const cameras = cameraChecks(environment);
  const detector = select("detector", "Detector", DETECTORS);
  const embedder = select("embedder", "Appearance", EMBEDDERS);
  const recordedOnly = h("div", { class: "start-recorded" }, picker?.element, pacing.element);

  const sync = () => {
    recordedOnly.hidden = mode.value() !== "recorded";
    cameras.liveOnly(mode.value() === "live");
  };
  mode.element.addEventListener("change", sync);

  async function submit(event) {
    event.preventDefault();
    const chosen = cameras.value();
    if (!chosen.length) {
      fill(messages, notice("bad", "Choose at least one camera."));
      return;
    }
    button.disabled = true;
    fill(button, h("span", { class: "busy" }), "Starting");
    fill(messages);
    const recorded = mode.value() === "recorded";
    try {
      await onStart({
        mode: mode.value(),
        cameras: chosen,
        ...(recorded ? { ...picker.value(), pacing: pacing.value() } : {}),
        detector: detector.value(),
        embedder: embedder.value(),
      });
    } catch (error) {
      fill(messages, notice("bad", error.message));
    } finally {
      button.disabled = false;
      fill(button, icon("play"), "Start");
    }
  }

  const element = h("form", { class: "panel start", "aria-label": "New run", onsubmit: submit },
    h("h2", {}, "New run"),
    mode.element,
    recordedOnly,
    cameras.element,
    h("details", { class: "advanced" },
      h("summary", {}, icon("next", "small"), "Advanced"),
      h("div", { class: "advanced-body" }, detector.element, embedder.element,
        h("p", { class: "faint small-text" }, "Automatic takes the best that is installed and says in the run which it took and why."))),
    messages,
    h("div", { class: "start-actions" }, button));
  sync();
  return element;
}

function nothingToProcess(environment) {
  return h("section", { class: "panel start" },
    h("div", { class: "blank" }, icon("film"), h("h2", {}, "Nothing recorded yet"),
      h("p", {}, `${environment.name} has no recordings and no camera with a live address. An administrator can register footage or set a live address under `,
        h("a", { href: "/admin/environments/" }, "Administration, Environments"), ".")));
}

/** A group of radio buttons that looks like one control. A text as fourth entry disables it and says why. */
function segments(name, label, options, initial) {
  const inputs = options.map(([value, , , refused]) => h("input", { type: "radio", name, value, checked: value === initial, disabled: Boolean(refused) }));
  const reasons = options.map((option) => option[3]).filter(Boolean);
  const element = h("fieldset", { class: "field" },
    h("legend", { class: "field-label" }, label),
    h("div", { class: "segments" }, options.map(([, text, image, refused], i) => h("label", { title: refused || null }, inputs[i], icon(image, "small"), text))),
    reasons.length ? h("p", { class: "faint small-text" }, reasons.join(" ")) : null);
  return { element, value: () => inputs.find((input) => input.checked).value };
}

function select(name, label, options) {
  const id = `start-${name}`;
  const input = h("select", { class: "select", id, name }, options.map(([value, text]) => h("option", { value }, text)));
  return {
    element: h("div", { class: "field" }, h("label", { for: id }, label), h("div", { class: "select-box" }, input, icon("down", "small"))),
    value: () => input.value,
  };
}

function cameraChecks(environment) {
  const inputs = environment.cameras.map((camera) => h("input", { type: "checkbox", name: "cameras", value: camera.id, checked: true }));
  const summary = h("span", { class: "faint" });
  const update = () => fill(summary, `${inputs.filter((input) => input.checked && !input.disabled).length} of ${count(inputs.length, "camera")}`);
  const element = h("fieldset", { class: "field", onchange: update },
    h("legend", { class: "field-label" }, "Cameras · ", summary),
    h("div", { class: "check-grid" }, environment.cameras.map((camera, i) =>
      h("label", { class: "check" }, inputs[i], h("span", {}, h("span", { class: "mono faint" }, camera.id), ` ${camera.name}`)))));
  update();
  return {
    element,
    value: () => inputs.filter((input) => input.checked && !input.disabled).map((input) => input.value),
    liveOnly(live) {
      environment.cameras.forEach((camera, i) => (inputs[i].disabled = live && !camera.hasLive));
      update();
    },
  };
}
