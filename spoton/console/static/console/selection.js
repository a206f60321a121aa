// Which person is highlighted: the one pointed at, else the one that was clicked. Purely in this browser.

export class Selection extends EventTarget {
  #hovered = null;
  #pinned = null;

  get active() {
    return this.#hovered ?? this.#pinned;
  }

  get pinned() {
    return this.#pinned;
  }

  hover(id) {
    if (this.#hovered === id) return;
    this.#hovered = id;
    this.#changed();
  }

  /** Pin a person; pinning the same one again, or null, lets go. */
  pin(id) {
    this.#pinned = this.#pinned === id ? null : id;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
