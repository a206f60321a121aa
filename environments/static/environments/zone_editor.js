/* Draws a zone on the floor plan. The textarea stays the truth: without JavaScript it is edited as text. */
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const STEP_M = 0.1; // one press of an arrow key

  const element = (name, attributes = {}, children = []) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const apply = (rows, [x, y]) => rows.map(([a, b, c]) => a * x + b * y + c);
  const asPoints = (points) => points.map((point) => point.join(",")).join(" ");
  const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  const crosses = (a, b, c, d) =>
    turn(a, b, c) > 0 !== turn(a, b, d) > 0 && turn(c, d, a) > 0 !== turn(c, d, b) > 0;

  /* What is wrong with the corners, in words; the server checks again and more strictly. */
  function problemOf(corners) {
    const n = corners.length;
    if (n < 3) return `Click on the plan to set corners; ${3 - n} more at least.`;
    for (let i = 0; i < n; i++) {
      for (let j = i + 2; j < n; j++) {
        if (i === 0 && j === n - 1) continue;
        if (crosses(corners[i], corners[(i + 1) % n], corners[j], corners[(j + 1) % n])) {
          return "The outline crosses itself; move a corner.";
        }
      }
    }
    return "";
  }

  function areaOf(corners) {
    return Math.abs(corners.reduce((sum, a, i) => {
      const b = corners[(i + 1) % corners.length];
      return sum + a[0] * b[1] - b[0] * a[1];
    }, 0)) / 2;
  }

  class ZoneEditor {
    constructor(host) {
      this.host = host;
      this.textarea = document.getElementById(host.dataset.textarea);
      this.environment = document.getElementById("id_environment");
      this.kind = document.getElementById("id_kind");
      this.history = [];
      this.corners = this.read();
      this.buildBar();
      this.textarea.addEventListener("input", () => { this.corners = this.read(); this.draw(); });
      this.environment?.addEventListener("change", () => this.load());
      this.kind?.addEventListener("change", () => this.draw());
      this.load();
    }

    read() {
      try {
        const corners = JSON.parse(this.textarea.value);
        return Array.isArray(corners) ? corners.filter((c) => Array.isArray(c) && c.length === 2) : [];
      } catch {
        return [];
      }
    }

    /* Take `corners` as the zone; the state before can be brought back. */
    change(corners, remember = true) {
      if (remember) this.history.push(this.corners);
      this.corners = corners.map(([x, y]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100]);
      this.textarea.value = JSON.stringify(this.corners);
      this.draw();
    }

    buildBar() {
      const button = (text, title, action) => {
        const node = document.createElement("button");
        Object.assign(node, { type: "button", textContent: text, title });
        node.addEventListener("click", action);
        return node;
      };
      this.undo = button("Undo", "Take back the last change", () => {
        if (this.history.length) this.change(this.history.pop(), false);
      });
      this.clear = button("Start again", "Remove all corners", () => this.change([]));
      this.status = document.createElement("span");
      this.status.className = "status";
      this.status.setAttribute("role", "status");
      const help = document.createElement("p");
      help.className = "zone-editor-help";
      help.textContent = "Click to add a corner. Drag corners to move them, or use the arrow keys. " +
        "Drag a dot between two corners to bend a side. Double-click or Delete removes a corner.";
      this.bar = document.createElement("div");
      this.bar.className = "zone-editor-bar";
      this.bar.append(this.undo, this.clear, this.status);
      this.help = help;
    }

    async load() {
      const id = this.environment?.value;
      this.host.hidden = !id;
      if (!id) return;
      const response = await fetch(this.host.dataset.planUrl.replace("/0/", `/${id}/`), { credentials: "same-origin" });
      if (!response.ok) { this.host.hidden = true; return; }
      this.plan = await response.json();
      this.buildDrawing();
      const details = this.host.nextElementSibling;
      if (!details.querySelector(".errorlist")) details.open = false;
      this.draw();
    }

    buildDrawing() {
      const { width, height, image_url: image, zones, cameras, text_px: text } = this.plan;
      this.svg = element("svg", { viewBox: `0 0 ${width} ${height}`, "aria-label": "Floor plan to draw the zone on" });
      this.svg.style.setProperty("--text", `${text}px`);
      this.svg.append(element("rect", { class: "plan-ground", width, height }));
      if (image) this.svg.append(element("image", { href: image, width, height }));
      const own = location.pathname.split("/").at(-3);
      const others = element("g", { class: "others" });
      for (const zone of zones.filter((z) => z.id !== own)) {
        const shape = element("polygon", { points: asPoints(zone.points) });
        const label = element("text", { class: "plan-label", x: zone.label[0], y: zone.label[1] });
        label.textContent = zone.name;
        others.append(element("g", { class: `plan-zone kind-${zone.kind}` }, [shape]), label);
      }
      for (const camera of cameras.filter((c) => c.footprint.length)) {
        others.append(element("polygon", { class: "plan-view", points: asPoints(camera.footprint) }));
      }
      this.layer = element("g");
      this.svg.append(others, this.layer);
      this.svg.addEventListener("pointerdown", (event) => this.begin(event));
      this.svg.addEventListener("dblclick", (event) => this.removeAt(event.target.dataset.corner));
      this.svg.addEventListener("keydown", (event) => this.onKey(event));
      this.host.replaceChildren(this.svg, this.bar, this.help);
    }

    position(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      return apply(this.plan.image_to_map, [point.x, point.y]);
    }

    begin(event) {
      if (event.button !== 0) return;
      const { corner, middle } = event.target.dataset;
      let index = Number(corner);
      const before = this.corners;
      if (corner === undefined) {
        index = middle === undefined ? this.corners.length : Number(middle) + 1;
        this.change(this.corners.toSpliced(index, 0, this.position(event)));
      }
      event.preventDefault();
      let moved = false;
      const move = (e) => {
        if (!moved && corner !== undefined) this.history.push(before);
        moved = true;
        this.change(this.corners.with(index, this.position(e)), false);
      };
      const end = () => {
        window.removeEventListener("pointermove", move);
        this.layer.querySelector(`[data-corner="${index}"]`)?.focus();
      };
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", end, { once: true });
      window.addEventListener("pointercancel", end, { once: true });
    }

    removeAt(corner) {
      if (corner !== undefined) this.change(this.corners.toSpliced(Number(corner), 1));
    }

    onKey(event) {
      const corner = event.target.dataset.corner;
      if (corner === undefined) return;
      const shift = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (shift) {
        const [x, y] = this.corners[corner];
        this.change(this.corners.with(Number(corner), [x + shift[0] * STEP_M, y + shift[1] * STEP_M]));
        this.layer.querySelector(`[data-corner="${corner}"]`)?.focus();
      } else if (event.key === "Delete" || event.key === "Backspace") {
        this.removeAt(corner);
      } else {
        return;
      }
      event.preventDefault();
    }

    draw() {
      const problem = problemOf(this.corners);
      this.status.textContent = problem || `${this.corners.length} corners, ${areaOf(this.corners).toFixed(1)} m²`;
      this.status.classList.toggle("wrong", Boolean(problem) && this.corners.length >= 3);
      this.undo.disabled = this.history.length === 0;
      this.clear.disabled = this.corners.length === 0;
      if (!this.layer) return;
      const points = this.corners.map((corner) => apply(this.plan.map_to_image, corner));
      const radius = this.plan.width / 150;
      this.layer.setAttribute("class", `kind-${this.kind?.value || "other"}`);
      this.layer.replaceChildren(
        element(points.length > 2 ? "polygon" : "polyline", {
          class: `draft${problem && points.length > 2 ? " wrong" : ""}`, points: asPoints(points),
        }),
      );
      if (points.length > 2) {
        points.forEach(([x, y], i) => {
          const [nextX, nextY] = points[(i + 1) % points.length];
          const at = { cx: (x + nextX) / 2, cy: (y + nextY) / 2, r: radius * 0.6 };
          this.layer.append(element("circle", { class: "middle", "data-middle": i, ...at }));
        });
      }
      points.forEach(([cx, cy], i) => {
        const [x, y] = this.corners[i];
        const label = `Corner ${i + 1} at ${x}, ${y} metres`;
        this.layer.append(element("circle", {
          class: "corner", "data-corner": i, cx, cy, r: radius, tabindex: 0, role: "button", "aria-label": label,
        }));
      });
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".zone-editor").forEach((host) => new ZoneEditor(host));
  });
})();
