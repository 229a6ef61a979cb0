/**
 * The stream of everything that happens to my jobs: one connection, whatever the number of jobs.
 *
 * It is opened anew by this module rather than by the browser, at the place of the last event that
 * was taken over, so nothing is missed and nothing comes twice.
 */

import { BASE } from "./api.js";

const TYPES = ["state", "progress", "frame", "log", "score", "notice"];
const FIRST = 500; // milliseconds until the first new try
const LONGEST = 15_000;

export class Stream {
  /** @param onEvent takes an event; onUp(again) is called at each opening, onDown at each loss. */
  constructor({ onEvent, onUp, onDown }) {
    Object.assign(this, { onEvent, onUp, onDown });
    this.place = "";
    this.wait = FIRST;
    this.timer = 0;
    this.source = null;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  open() {
    clearTimeout(this.timer);
    this.source?.close();
    const after = this.place ? `?after=${encodeURIComponent(this.place)}` : "";
    const source = new EventSource(`${BASE}/events${after}`);
    this.source = source;
    source.addEventListener("hello", (message) => {
      this.#at(message);
      this.wait = FIRST;
      this.onUp();
    });
    for (const type of TYPES) source.addEventListener(type, (message) => this.#take(message));
    source.addEventListener("error", () => this.#lost(source));
  }

  /** Try at once, if a try is due at all. */
  hurry() {
    if (this.source?.readyState === EventSource.CLOSED || !this.source) {
      this.wait = FIRST;
      this.open();
    }
  }

  #take(message) {
    this.#at(message);
    this.onEvent(JSON.parse(message.data));
  }

  #at(message) {
    if (message.lastEventId) this.place = message.lastEventId;
    else if (message.type === "hello") this.place = JSON.parse(message.data).place ?? this.place;
  }

  #lost(source) {
    if (source !== this.source) return;
    source.close();
    this.onDown();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), this.wait * (0.75 + 0.5 * Math.random()));
    this.wait = Math.min(LONGEST, this.wait * 1.8);
  }
}
