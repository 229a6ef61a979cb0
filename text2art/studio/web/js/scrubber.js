/** The making of a picture, to be pulled through and played. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { fill } from "./dom.js";

const PER_SECOND = 12;

export class Scrubber {
  /** @param onPick takes a picture of the making; null stands for the latest one. */
  constructor(onPick) {
    this.onPick = onPick;
    this.frames = [];
    this.live = true; // at the latest picture, whatever that is
    this.timer = 0;
    this.range = h("input.slider", {
      type: "range",
      min: "0",
      value: "0",
      "aria-label": "The making, step by step",
      oninput: () => (this.stop(), this.#pick(Number(this.range.value))),
    });
    this.button = h("button.icon-button", { type: "button", "aria-label": "Play the making", onclick: () => (this.timer ? this.stop() : this.play()) }, icon("play"));
    this.words = h("output.scrub-step", { "aria-live": "off" });
    this.element = h("div.scrubber", { hidden: true }, this.button, this.range, this.words);
  }

  /** Take over the pictures; whoever looks at an earlier one keeps looking at it. */
  show(frames) {
    const at = this.#current();
    this.frames = frames;
    this.element.hidden = frames.length < 2;
    this.range.max = String(Math.max(0, frames.length - 1));
    const place = this.live || !at ? frames.length - 1 : Math.max(0, frames.findIndex((frame) => frame.step >= at.step));
    this.range.value = String(place);
    this.#say();
  }

  /** The step that is looked at, or null at the latest. */
  get step() {
    return this.live ? null : this.#current()?.step ?? null;
  }

  reset() {
    this.stop();
    this.live = true;
    this.frames = [];
  }

  play() {
    let at = this.live ? 0 : Number(this.range.value);
    fill(this.button, icon("pause"));
    this.button.setAttribute("aria-label", "Pause");
    this.timer = setInterval(() => {
      this.range.value = String(at);
      this.#pick(at);
      at += 1;
      if (at >= this.frames.length) this.stop();
    }, 1000 / PER_SECOND);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    fill(this.button, icon("play"));
    this.button.setAttribute("aria-label", "Play the making");
  }

  #current() {
    return this.frames[Number(this.range.value)];
  }

  #pick(at) {
    this.live = at >= this.frames.length - 1;
    this.#say();
    this.onPick(this.live ? null : this.frames[at]);
  }

  #say() {
    const frame = this.#current();
    this.words.textContent = frame ? `step ${frame.step}` : "";
    this.range.setAttribute("aria-valuetext", frame ? `step ${frame.step}` : "");
  }
}
