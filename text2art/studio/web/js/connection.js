/** Whether the studio can be reached and draws: a line on top while something is the matter. */

import { announce } from "./announce.js";
import { api, reach } from "./api.js";
import { $, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { active } from "./store.js";

const PATIENCE = 1500; // milliseconds without a connection before it is mentioned
const EVERY = 15_000;
const SOON = 3000; // while nothing is heard

export class Connection {
  /** @param onBack is called when the studio is there again; onRetry when somebody cannot wait. */
  constructor({ onBack, onRetry }) {
    Object.assign(this, { onBack, onRetry });
    this.box = $("#banner");
    this.down = false;
    this.shown = "";
    this.timer = 0;
    this.health = null;
    reach.addEventListener("reach", (event) => (event.detail ? this.up() : this.lost()));
    addEventListener("offline", () => this.lost());
    addEventListener("online", () => this.look());
    setInterval(() => this.look(), EVERY);
    setInterval(() => this.down && this.look(), SOON);
  }

  lost() {
    if (this.down || this.timer) return;
    this.timer = setTimeout(() => {
      this.down = true;
      this.#show();
    }, PATIENCE);
  }

  up() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (!this.down) return;
    this.down = false;
    this.#show();
    announce("The studio is back.");
    this.onBack();
  }

  /** Ask how the studio is, while somebody waits for it. */
  async look() {
    if (document.hidden || (!active().length && !this.down && this.health)) return;
    try {
      this.health = await api.health();
    } catch (error) {
      this.health = error.status ? { status: "error" } : this.health;
    }
    this.#show();
  }

  #show() {
    const [name, words, action] = this.#trouble();
    if (name === this.shown) return;
    this.shown = name;
    this.box.hidden = !name;
    fill(this.box, name ? [icon("warning"), h("span", {}, words), action] : []);
  }

  #trouble() {
    if (this.down) {
      const retry = h("button.link", { type: "button", onclick: () => (this.onRetry(), this.look()) }, "Try now");
      return ["offline", "The studio cannot be reached. Your pictures go on being drawn; this page comes back by itself.", retry];
    }
    if (!active().length || !this.health) return ["", "", null];
    if (this.health.status === "paused") return ["paused", "The queue is paused: pictures wait until it goes on.", null];
    if (this.health.status === "no workers") return ["idle", "No worker is running, so nothing is drawn. Pictures wait until one is started.", null];
    if (this.health.status === "error") return ["ill", "The studio has trouble with its database. Pictures wait until that is mended.", null];
    return ["", "", null];
  }
}
