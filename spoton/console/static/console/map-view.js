// The map: floor plan, zones, cameras, people. Owns the view (pan, zoom) and redraws only when something changed.

import { colourOf } from "./colours.js";
import { fitCanvas, h, icon } from "./dom.js";
import { fitView, panBy, toScreen, zoomAt } from "./geometry.js";
import { between } from "./instant.js";
import * as layers from "./map-layers.js";

const HIT_PX = 16;
const LAYERS = [["zones", "Zones"], ["views", "Camera views"], ["trails", "Trails"], ["names", "Names"]];

export class MapView {
  #view = null;
  #moved = false; // the user panned or zoomed: keep their view on resize
  #people = [];
  #plan = null;
  #ground = document.createElement("canvas"); // everything that stands still
  #groundKey = "";
  #camera = null;
  #drag = null;
  #raf = 0;
  #shown = { zones: true, views: true, trails: true, names: true };

  constructor({ environment, selection }) {
    this.environment = environment;
    this.selection = selection;
    this.canvas = h("canvas", { class: "map-canvas", tabindex: "0", role: "img", "aria-label": `Map of ${environment.name}` });
    this.element = h("div", { class: "map" }, this.canvas, this.#tools(), this.#layerMenu());
    this.palette = layers.readPalette(document.documentElement);
    this.observer = new ResizeObserver(() => this.#resized());
    this.observer.observe(this.element);
    this.onTheme = () => {
      this.palette = layers.readPalette(document.documentElement);
      this.#groundKey = "";
      this.#redraw();
    };
    addEventListener("themechange", this.onTheme);
    this.onSelect = () => this.#redraw();
    selection.addEventListener("change", this.onSelect);
    this.#listen();
  }

  destroy() {
    this.observer.disconnect();
    cancelAnimationFrame(this.#raf);
    removeEventListener("themechange", this.onTheme);
    this.selection.removeEventListener("change", this.onSelect);
    this.#plan?.close();
  }

  async loadPlan(api, url) {
    try {
      this.#plan = await createImageBitmap(await api.image(url));
      this.#groundKey = "";
      this.#redraw();
    } catch {
      // the grid drawn instead shows the same metres
    }
  }

  /**
   * @param people [{id, position, nextPosition, heading, trail: [[x, y]]}] of an instant
   * @param fraction 0..1 towards the next instant
   */
  show(people, fraction) {
    this.#people = people.map((person) => ({ ...person, colour: colourOf(person.id), at: between(person.position, person.nextPosition, fraction) }));
    this.#redraw();
  }

  /** Emphasise a camera's view. */
  highlightCamera(id) {
    if (this.#camera === id) return;
    this.#camera = id;
    this.#groundKey = "";
    this.#redraw();
  }

  fit() {
    this.#moved = false;
    this.#view = fitView(this.environment.bounds, this.width, this.height);
    this.#redraw();
  }

  #tools() {
    const tool = (name, label, action) => h("button", { class: "map-tool", type: "button", "aria-label": label, title: label, onclick: action }, icon(name, "small"));
    return h("div", { class: "map-tools", role: "group", "aria-label": "Map view" },
      tool("plus", "Zoom in", () => this.#zoom(1.35)),
      tool("minus", "Zoom out", () => this.#zoom(1 / 1.35)),
      tool("fit", "Fit the whole map", () => this.fit()));
  }

  #layerMenu() {
    const boxes = LAYERS.map(([key, label]) => h("label", { class: "check" },
      h("input", { type: "checkbox", checked: true, onchange: (event) => {
        this.#shown[key] = event.target.checked;
        this.#groundKey = "";
        this.#redraw();
      } }), label));
    const menu = h("details", { class: "map-layers" }, h("summary", { "aria-label": "Map layers", title: "Map layers" }, icon("layers", "small")), h("div", { class: "map-layer-list" }, boxes));
    menu.addEventListener("focusout", (event) => {
      if (!menu.contains(event.relatedTarget)) menu.open = false;
    });
    return menu;
  }

  #resized() {
    this.width = this.element.clientWidth;
    this.height = this.element.clientHeight;
    if (!this.width || !this.height) return;
    if (!this.#view || !this.#moved) this.fit();
    else this.#redraw();
  }

  #zoom(factor, at = [this.width / 2, this.height / 2]) {
    if (!this.#view) return;
    this.#moved = true;
    this.#view = zoomAt(this.#view, factor, at);
    this.#pan(0, 0);
  }

  #pan(dx, dy) {
    if (!this.#view) return;
    this.#moved = true;
    this.#view = panBy(this.#view, dx, dy, this.environment.bounds, this.width, this.height);
    this.#redraw();
  }

  #listen() {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), [event.offsetX, event.offsetY]);
    }, { passive: false });
    const pointers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      this.#drag = { travelled: 0 };
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      const now = [event.offsetX, event.offsetY];
      if (!before) return this.selection.hover(this.#personAt(now));
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      pointers.set(event.pointerId, now);
      const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
      if (this.#drag) this.#drag.travelled += Math.hypot(dx, dy);
      if (other) {
        const spread = (p) => Math.max(20, Math.hypot(p[0] - other[0], p[1] - other[1]));
        this.#zoom(spread(now) / spread(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
        this.#pan(dx / 2, dy / 2);
      } else if (this.#drag?.travelled > 4) {
        this.#pan(dx, dy);
      }
    });
    const release = (event) => {
      const clicked = event.type === "pointerup" && pointers.size === 1 && this.#drag?.travelled <= 4;
      pointers.delete(event.pointerId);
      if (clicked) this.selection.pin(this.#personAt([event.offsetX, event.offsetY]) ?? this.selection.pinned);
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => this.selection.hover(null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    const actions = {
      ArrowLeft: () => this.#pan(40, 0), ArrowRight: () => this.#pan(-40, 0),
      ArrowUp: () => this.#pan(0, 40), ArrowDown: () => this.#pan(0, -40),
      "+": () => this.#zoom(1.25), "=": () => this.#zoom(1.25), "-": () => this.#zoom(0.8), 0: () => this.fit(),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    actions[event.key]();
  }

  #personAt(point) {
    if (!this.#view) return null;
    let best = [HIT_PX, null];
    for (const { id, at } of this.#people) {
      const [x, y] = toScreen(this.#view, at);
      const distance = Math.hypot(x - point[0], y - point[1]);
      if (distance < best[0]) best = [distance, id];
    }
    return best[1];
  }

  #redraw() {
    if (!this.#raf) this.#raf = requestAnimationFrame(() => {
      this.#raf = 0;
      this.#draw();
    });
  }

  #draw() {
    if (!this.#view || !this.width) return;
    const ctx = fitCanvas(this.canvas, this.width, this.height);
    ctx.clearRect(0, 0, this.width, this.height);
    this.#drawGround();
    ctx.drawImage(this.#ground, 0, 0, this.width, this.height);
    const active = this.selection.active;
    const faded = (id) => active !== null && id !== active;
    if (this.#shown.trails) for (const { id, trail, at, colour } of this.#people) layers.drawTrail(ctx, this.#view, [...trail, at], colour, faded(id));
    const ordered = [...this.#people].sort((a, b) => (a.id === active) - (b.id === active));
    for (const person of ordered) {
      layers.drawPerson(ctx, this.#view, { ...person, position: person.at },
        { faded: faded(person.id), strong: person.id === active });
    }
    const named = ordered.filter(({ id }) => id === active || (this.#shown.names && !faded(id)));
    layers.drawNames(ctx, this.#view, named, this.palette);
  }

  #drawGround() {
    const { scale, x, y } = this.#view;
    const key = [scale, x, y, this.width, this.height, this.#camera].join();
    if (key === this.#groundKey) return;
    this.#groundKey = key;
    const { environment, palette } = this;
    const ctx = fitCanvas(this.#ground, this.width, this.height);
    ctx.clearRect(0, 0, this.width, this.height);
    layers.drawGround(ctx, this.#view, environment, this.#plan, palette);
    if (this.#shown.zones) layers.drawZones(ctx, this.#view, environment.zones, palette);
    if (this.#shown.views) layers.drawFootprints(ctx, this.#view, environment.cameras, this.#camera, palette);
    layers.drawCameras(ctx, this.#view, environment.cameras, palette);
    layers.drawScaleBar(ctx, this.#view, this.height, palette);
  }
}
