// One camera: its picture with the boxes of the same instant, drawn on one canvas.

import { colourOf, nameOf } from "./colours.js";
import { fill, fitCanvas, h, icon, setText } from "./dom.js";

const INK = "#0b1014";
const HEAD_PX = 32;
const LABELS_FROM_PX = 140; // on smaller tiles labels would hide the people
const STALE_MS = 6000; // without a new picture for this long while the run goes on, say so

export class CameraView {
  #shown = null; // {bitmap, tracks, index}
  #decoding = null;
  #waiting = null;
  #boxes = []; // [{id, rect}] in CSS pixels, for pointing
  #lastAt = 0;

  constructor({ camera, selection, onExpand, onHover }) {
    this.camera = camera;
    this.selection = selection;
    this.canvas = h("canvas", { class: "camera-canvas", role: "img", "aria-label": `${camera.name}, waiting for pictures` });
    this.count = h("span", { class: "camera-count" }, icon("people", "small"), h("span", {}, "–"));
    this.state = h("p", { class: "camera-wait" });
    this.expandButton = h("button", { class: "camera-expand", type: "button", onclick: () => onExpand(camera.id) }, icon("expand", "small"));
    this.stale = h("span", { class: "tag warn", hidden: true }, "Picture is late");
    this.element = h("figure", { class: "camera", data: { camera: camera.id }, onpointerenter: () => onHover(camera.id), onpointerleave: () => { onHover(null); selection.hover(null); } },
      this.canvas, this.state,
      h("figcaption", { class: "camera-head" }, h("span", { class: "camera-id" }, camera.id), h("span", { class: "camera-name" }, camera.name), this.stale, this.count),
      this.expandButton);
    this.setExpanded(false);
    this.setWaiting("Waiting for pictures");
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    this.onSelect = () => this.draw();
    selection.addEventListener("change", this.onSelect);
    this.canvas.addEventListener("pointermove", (event) => selection.hover(this.#boxAt(event)));
    this.canvas.addEventListener("click", (event) => {
      const id = this.#boxAt(event);
      if (id) selection.pin(id);
    });
    this.canvas.addEventListener("dblclick", () => onExpand(camera.id));
  }

  destroy() {
    this.observer.disconnect();
    this.selection.removeEventListener("change", this.onSelect);
    this.#shown?.bitmap.close();
    this.#shown = null;
    this.gone = true;
  }

  setExpanded(expanded) {
    const label = expanded ? "Show all cameras" : `Enlarge ${this.camera.name}`;
    this.expandButton.setAttribute("aria-label", label);
    this.expandButton.title = label;
    fill(this.expandButton, icon(expanded ? "shrink" : "expand", "small"));
  }

  /** Words shown while there is no picture. */
  setWaiting(text) {
    fill(this.state, icon("camera"), h("span", {}, text));
  }

  setCount(n) {
    setText(this.count.lastChild, String(n));
    this.count.setAttribute("aria-label", `${n} people`);
  }

  /** @param running whether new pictures are to be expected */
  checkStale(now, running) {
    this.stale.hidden = !(running && this.#shown && now - this.#lastAt > STALE_MS);
  }

  /** Show `blob` with the tracks of its instant. Decoding takes a moment: of several only the newest is shown. */
  show(index, blob, tracks) {
    this.#waiting = { index, blob, tracks };
    this.#lastAt = performance.now();
    this.#decoding ??= this.#decode().finally(() => (this.#decoding = null));
  }

  async #decode() {
    while (this.#waiting && !this.gone) {
      const { index, blob, tracks } = this.#waiting;
      this.#waiting = null;
      let bitmap;
      try {
        bitmap = await createImageBitmap(blob);
      } catch {
        continue; // a damaged picture: the last one stays, with its boxes
      }
      if (this.gone) return bitmap.close();
      this.#shown?.bitmap.close();
      this.#shown = { bitmap, tracks, index };
      this.state.hidden = true;
      this.element.dataset.frame = index;
      this.canvas.setAttribute("aria-label", `${this.camera.name}, ${tracks.length} people`);
      this.draw();
    }
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    const ctx = fitCanvas(this.canvas, width, height);
    ctx.clearRect(0, 0, width, height);
    this.#boxes = [];
    if (!this.#shown) return;
    const { bitmap, tracks } = this.#shown;
    // boxes are in pixels of the camera's own image; the picture sent may be smaller
    const scale = Math.min(width / this.camera.width, height / this.camera.height);
    const [w, hh] = [this.camera.width * scale, this.camera.height * scale];
    const [x0, y0] = [(width - w) / 2, (height - hh) / 2];
    ctx.imageSmoothingQuality = "medium";
    ctx.drawImage(bitmap, x0, y0, w, hh);
    this.#boxes = tracks.map(({ global_id: id, bbox_xyxy: b, track_id: track }) => ({
      id, track, rect: [x0 + b[0] * scale, y0 + b[1] * scale, (b[2] - b[0]) * scale, (b[3] - b[1]) * scale],
    }));
    const active = this.selection.active;
    if (active !== null && this.#boxes.some(({ id }) => id === active)) this.#dimOthers(ctx, active, [x0, y0, w, hh]);
    // the highlighted one last, on top
    const ordered = [...this.#boxes].sort((a, b) => (a.id === active) - (b.id === active));
    for (const box of ordered) drawBox(ctx, box, active);
    const labelled = height < LABELS_FROM_PX ? ordered.filter(({ id }) => id !== null && id === active) : ordered;
    const taken = [];
    for (const box of labelled.reverse()) taken.push(drawLabel(ctx, box, active, width, taken));
  }

  #dimOthers(ctx, active, [x, y, w, hh]) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, w, hh);
    for (const { id, rect } of this.#boxes) if (id === active) ctx.rect(...rect);
    ctx.fillStyle = "#06090b80";
    ctx.fill("evenodd");
    ctx.restore();
  }

  #boxAt({ offsetX, offsetY }) {
    const inside = this.#boxes.filter(({ id, rect: [x, y, w, hh] }) => id && offsetX >= x - 4 && offsetX <= x + w + 4 && offsetY >= y - 4 && offsetY <= y + hh + 4);
    // of several the smallest: it would otherwise be unreachable behind the larger
    return inside.sort((a, b) => a.rect[2] * a.rect[3] - b.rect[2] * b.rect[3])[0]?.id ?? null;
  }
}

const alphaOf = (id, active) => (active !== null && id !== active ? 0.45 : 1);

function drawBox(ctx, { id, rect: [x, y, w, hh] }, active) {
  const strong = id !== null && id === active;
  ctx.globalAlpha = alphaOf(id, active);
  ctx.lineJoin = "round";
  ctx.lineWidth = strong ? 5 : 3.5;
  ctx.strokeStyle = `${INK}99`;
  ctx.strokeRect(x, y, w, hh);
  ctx.lineWidth = strong ? 3 : 1.75;
  ctx.strokeStyle = colourOf(id);
  ctx.strokeRect(x, y, w, hh);
  ctx.globalAlpha = 1;
}

/** The name above the box, or where it covers neither the tile's heading nor a name in `taken`; returns its place. */
function drawLabel(ctx, { id, rect: [x, y, w, hh] }, active, width, taken) {
  ctx.font = "650 11px system-ui, sans-serif";
  const text = nameOf(id);
  const labelWidth = ctx.measureText(text).width + 10;
  const left = Math.min(Math.max(0, x - 1), width - labelWidth);
  const tops = [y - 17, y + hh + 2, y + hh + 19, y - 34].filter((top) => top > HEAD_PX);
  const rects = tops.map((top) => [left, top, left + labelWidth, top + 16]);
  const free = ([x0, y0, x1, y1]) => taken.every((t) => x1 < t[0] || x0 > t[2] || y1 < t[1] || y0 > t[3]);
  const place = rects.find(free) ?? rects[0] ?? [left, y, left + labelWidth, y + 16];
  ctx.globalAlpha = alphaOf(id, active);
  ctx.fillStyle = colourOf(id);
  ctx.beginPath();
  ctx.roundRect(place[0], place[1], labelWidth, 16, 3);
  ctx.fill();
  ctx.fillStyle = INK;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillText(text, place[0] + 5, place[1] + 8.5);
  ctx.globalAlpha = 1;
  return place;
}
