// The people in view: who, where, since when. Pointing at one highlights it everywhere, clicking keeps it.

import { colourOf, nameOf } from "./colours.js";
import { fill, h, icon, setText } from "./dom.js";
import { clock, count, stopwatch } from "./format.js";

const LINGER_MS = 4000; // people out of view stay in the list this long, so that a short gap does not make it jump

export class PersonsList {
  #rows = new Map(); // id -> {element, cameras, time, seenAt}

  constructor({ selection, timezone }) {
    this.selection = selection;
    this.timezone = timezone;
    this.total = h("span", { class: "tag" }, "0");
    this.list = h("ul", { class: "persons" });
    this.blank = h("div", { class: "blank" }, icon("people"), h("p", {}, "Nobody in view yet"));
    this.element = h("section", { class: "panel persons-panel", "aria-label": "People in view" },
      h("header", { class: "panel-head" }, h("h2", {}, "People"), this.total,
        this.clear = h("button", { class: "button small", type: "button", hidden: true, onclick: () => selection.pin(null) }, icon("close", "small"), "Clear highlight")),
      h("div", { class: "persons-scroll" }, this.list, this.blank));
    this.onSelect = () => this.#mark();
    selection.addEventListener("change", this.onSelect);
    this.list.addEventListener("pointerleave", () => selection.hover(null));
  }

  destroy() {
    this.selection.removeEventListener("change", this.onSelect);
  }

  /** @param people Map from `peopleOf`; `at` capture time in ms */
  show(people, at) {
    const seen = [...people.values()].filter(({ cameras }) => cameras.length);
    for (const person of seen) {
      let row = this.#rows.get(person.id);
      if (!row) this.#rows.set(person.id, (row = this.#row(person)));
      row.seenAt = at;
      row.element.classList.remove("left");
      setText(row.time, stopwatch(person.durationS));
      const key = person.cameras.join();
      if (row.key !== key) {
        row.key = key;
        fill(row.cameras, person.cameras.map((camera) => h("span", { class: "chip mono" }, camera)));
      }
    }
    for (const [id, row] of this.#rows) {
      if (people.get(id)?.cameras.length) continue;
      row.element.classList.add("left");
      if (row.key !== "") {
        row.key = "";
        fill(row.cameras, h("span", { class: "faint" }, "out of view"));
      }
      if (at - row.seenAt > LINGER_MS || at < row.seenAt) {
        row.element.remove();
        this.#rows.delete(id);
      }
    }
    setText(this.total, String(seen.length));
    this.total.setAttribute("aria-label", count(seen.length, "person", "people"));
    this.blank.hidden = this.#rows.size > 0;
  }

  #row({ id, since }) {
    const swatch = h("span", { class: "swatch" });
    swatch.style.background = colourOf(id);
    const cameras = h("span", { class: "person-cameras" });
    const time = h("span", { class: "person-time mono" });
    const button = h("button", { class: "person", type: "button", "aria-pressed": "false", title: `${id}, first seen ${clock(since, this.timezone)}`, data: { person: id },
      onclick: () => this.selection.pin(id), onpointerenter: () => this.selection.hover(id),
      onfocus: (event) => event.target.matches(":focus-visible") && this.selection.hover(id), onblur: () => this.selection.hover(null) },
      swatch, h("span", { class: "person-name mono" }, nameOf(id)), cameras, time);
    const element = h("li", {}, button);
    this.list.append(element);
    return { element, button, cameras, time, key: null, seenAt: 0 };
  }

  #mark() {
    const { active, pinned } = this.selection;
    for (const [id, { button }] of this.#rows) {
      button.setAttribute("aria-pressed", String(id === pinned));
      button.classList.toggle("active", id === active);
    }
    this.clear.hidden = pinned === null;
  }
}
