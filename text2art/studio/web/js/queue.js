/** The drawer of the queue: what is drawn, what waits, what ended lately. */

import { api } from "./api.js";
import { $, fill, h } from "./dom.js";
import { ago, clipped, counted } from "./format.js";
import { icon } from "./icons.js";
import { lettersButton } from "./letters.js";
import { complain } from "./overlay.js";
import { isPixelArt } from "./picture.js";
import { statusOf } from "./stage.js";
import { active, isOver, jobs, onJob } from "./store.js";

const LATELY = 12;

export class Queue {
  constructor({ actions, me, onWatch }) {
    Object.assign(this, { actions, me, onWatch });
    this.paused = me.paused;
    this.onPause = () => {};
    this.button = $("#queue-button");
    this.count = $("#queue-count");
    this.list = h("div.queue-lists");
    this.letters = lettersButton();
    this.foot = h("div.queue-foot");
    this.element = h(
      "aside.queue",
      { id: "queue", "aria-label": "Queue", hidden: true },
      h(
        "header.sheet-head",
        {},
        h("h2", { tabindex: "-1" }, "Queue"),
        h("button.icon-button", { type: "button", "aria-label": "Close the queue", onclick: () => this.toggle(false) }, icon("close")),
      ),
      this.list,
      this.foot,
    );
    this.button.addEventListener("click", () => this.toggle());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle(false);
    });
    let due = false;
    onJob((_, what) => {
      if (what === "frame" || what === "score" || due) return;
      due = true;
      setTimeout(() => ((due = false), this.show()), 250);
    });
    this.show();
  }

  toggle(open = this.element.hidden) {
    this.element.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) {
      this.show();
      if (this.me.admin) this.letters.load();
      this.element.querySelector("h2").focus();
    } else this.button.focus();
  }

  show() {
    const going = active();
    this.count.textContent = going.length ? String(going.length) : "";
    this.button.setAttribute("aria-label", going.length ? `Queue, ${counted(going.length, "picture")} to come` : "Queue");
    if (this.element.hidden) return;
    const lately = [...jobs.values()].filter((job) => job.mine && isOver(job)).sort((a, b) => b.finished - a.finished).slice(0, LATELY);
    const focused = document.activeElement?.closest?.("[data-job]")?.dataset.job;
    const drawn = going.filter((job) => job.state === "running");
    const waits = going.filter((job) => job.state === "queued");
    fill(
      this.list,
      this.#part("Drawing now", drawn),
      this.#part("Waiting", waits),
      this.#part("Lately", lately),
      going.length || lately.length ? null : h("p.nothing", {}, "Nothing waits. What you draw lines up here, and goes on when you close the page."),
    );
    fill(this.foot, this.me.admin ? [this.#pause(), this.letters.element] : null);
    if (focused) this.list.querySelector(`[data-job="${CSS.escape(focused)}"] button`)?.focus();
  }

  #part(title, some) {
    return some.length ? h("section", {}, h("h3", {}, title), h("ul.queue-list", {}, some.map((job) => this.#row(job)))) : null;
  }

  #row(job) {
    const over = isOver(job);
    const open = h(
      "button.queue-open",
      { type: "button", onclick: () => this.onWatch(job) },
      job.preview ? h(`img${isPixelArt(job) ? ".pixelated" : ""}`, { src: job.preview, alt: "", loading: "lazy" }) : h("span.blank", {}, icon(job.state === "failed" ? "warning" : "brush")),
      h("span.queue-words", {}, h("span.queue-prompt", {}, clipped(job.prompt, 90)), h("small", {}, over && job.state !== "failed" ? `${job.state} ${ago(job.finished)}` : statusOf(job))),
    );
    const bar = h("progress", { max: "1", value: job.progress ?? 0, "aria-label": "Progress" });
    const act = (name, label, run) => h("button.icon-button", { type: "button", "aria-label": `${label}: ${clipped(job.prompt, 60)}`, title: label, onclick: run }, icon(name));
    const failed = job.state === "failed" || job.state === "canceled";
    return h(
      "li",
      { dataset: { job: job.id } },
      open,
      over ? (failed ? act("again", "Try again", () => this.actions.retry(job)) : null) : act("close", job.state === "queued" ? "Take it out" : "Stop", () => this.actions.cancel(job)),
      job.state === "running" ? bar : null,
    );
  }

  #pause() {
    return h(
      "button.button.quiet",
      {
        type: "button",
        onclick: async () => {
          try {
            this.paused = (await api.pause(!this.paused)).paused;
            this.show();
            this.onPause();
          } catch (error) {
            complain(error);
          }
        },
      },
      icon(this.paused ? "play" : "pause"),
      h("span", {}, this.paused ? "Go on with the queue" : "Pause the queue"),
    );
  }
}
