// What the console has to say besides its pictures.

import { fill, h, icon } from "./dom.js";

const ICONS = { info: "info", good: "check", warn: "alert", bad: "alert" };

/** Spoken by screen readers; use it for changes of state, not for streams of numbers. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = "";
  // an emptied live region must be seen empty before the same text counts as new
  setTimeout(() => (announcer.textContent = text), 60);
}

export function notice(tone, content, action = null) {
  return h("div", { class: `notice ${tone}${action ? " centre" : ""}`, role: tone === "bad" ? "alert" : null },
    icon(ICONS[tone]), h("div", {}, content), action);
}

/** Something that could not be loaded, with a way to try again. */
export function failure(error, retry) {
  return notice("bad", error.message, retry && h("button", { class: "button small", type: "button", onclick: retry }, "Try again"));
}

/** A place for one notice at a time; setting the same key again leaves the element (and focus in it) alone. */
export class NoticeBox {
  #key = null;

  constructor(properties = {}) {
    this.element = h("div", properties);
  }

  show(key, build) {
    if (this.#key === key) return;
    this.#key = key;
    fill(this.element, build());
  }

  clear() {
    this.#key = null;
    fill(this.element);
  }
}
