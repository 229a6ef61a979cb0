/** One picture, large: the next by an arrow, its making, a comparison. */

import { fill, h } from "./dom.js";
import { ago } from "./format.js";
import { icon } from "./icons.js";
import { complain } from "./overlay.js";
import { Picture, altOf, isPixelArt, making, ratioOf } from "./picture.js";
import { Scrubber } from "./scrubber.js";
import { comparison } from "./compare.js";
import { statusOf } from "./stage.js";
import { fetchJob, jobs, onJob } from "./store.js";

export class Lightbox {
  constructor({ actions }) {
    this.actions = actions;
    this.list = null;
    this.job = null;
    this.picture = new Picture();
    this.scrubber = new Scrubber((frame) => this.#paint(frame));
    const arrow = (name, label, by) => h("button.icon-button.arrow", { type: "button", "aria-label": label, title: label, onclick: () => this.step(by) }, icon(name));
    this.before = arrow("left", "The one before", -1);
    this.after = arrow("right", "The next one", 1);
    this.before.classList.add("before");
    this.after.classList.add("after");
    this.prompt = h("h2", { tabindex: "-1", id: "lightbox-title" });
    this.facts = h("p.quiet");
    this.bar = h("div.stage-actions");
    this.compared = h("div.compared", { hidden: true });
    this.element = h(
      "dialog.lightbox",
      { "aria-labelledby": "lightbox-title" },
      h("button.icon-button.close", { type: "button", "aria-label": "Close", onclick: () => this.element.close() }, icon("close")),
      h("div.lightbox-picture", {}, this.before, this.picture.element, this.compared, this.after),
      h("div.lightbox-words", {}, this.scrubber.element, this.prompt, this.facts, this.bar),
    );
    document.body.append(this.element);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("close", () => this.#closed());
    addEventListener("popstate", () => this.element.open && this.element.close());
    onJob((job, what) => {
      if (job.id !== this.job?.id || !this.element.open) return;
      if (what === "gone") this.#next(job);
      else if (what !== "frame" && what !== "progress") this.#take(job);
    });
  }

  /** @param list {ids, load, cursor}: what the arrows go through; null = only this one. */
  open(job, list = null) {
    this.list = list;
    if (!this.element.open) {
      this.element.showModal();
      history.pushState({ lightbox: true }, "");
    }
    this.#show(job);
    this.prompt.focus();
  }

  /** Go on by some pictures. */
  async step(by) {
    if (!this.list) return;
    const at = this.list.ids.indexOf(this.job.id) + by;
    if (at >= this.list.ids.length - 3 && this.list.cursor) this.list.load();
    const next = jobs.get(this.list.ids[at]);
    if (next) this.#show(next);
  }

  async #show(job) {
    this.scrubber.reset();
    this.#compare(null);
    this.#take(job);
    try {
      await fetchJob(job.id); // with the pictures of its making; heard of as any change
    } catch (error) {
      complain(error);
    }
  }

  #take(job) {
    this.job = job;
    fill(this.prompt, job.prompt);
    fill(this.facts, `${statusOf(job)} · ${ago(job.finished ?? job.created)}`);
    const focused = this.bar.contains(document.activeElement) ? [...this.bar.children].indexOf(document.activeElement.closest(".stage-actions > *")) : -1;
    fill(this.bar, this.actions.bar(job, { step: () => this.scrubber.step, compare: () => this.#choose() }));
    if (focused >= 0) this.bar.children[focused]?.focus();
    this.scrubber.show(making(job));
    if (this.scrubber.step === null) this.#paint(null);
    const at = this.list?.ids.indexOf(job.id) ?? -1;
    this.before.hidden = at <= 0;
    this.after.hidden = at < 0 || at >= this.list.ids.length - 1;
  }

  #paint(frame) {
    const shown = frame ?? making(this.job).at(-1);
    const url = shown?.url ?? this.job.preview;
    if (url) this.picture.show(url, { alt: altOf(this.job, frame?.step), pixelated: isPixelArt(this.job), ratio: ratioOf(this.job), fade: false });
  }

  #choose() {
    const others = [this.job.parent_id, ...(this.list?.ids ?? jobs.keys())].map((id) => jobs.get(id)).filter((job) => job?.result && job.id !== this.job.id);
    const first = making(this.job)[0];
    const own = first && !first.last ? [{ url: first.url, words: `step ${first.step}`, job: this.job }] : [];
    const choices = [...own, ...[...new Set(others)].slice(0, 11).map((job) => ({ url: job.result.files.png, words: job.prompt, job }))];
    this.#compare(choices);
  }

  #compare(choices) {
    const on = Boolean(choices?.length);
    this.picture.element.hidden = on;
    this.scrubber.element.classList.toggle("away", on);
    this.compared.hidden = !on;
    if (!on) {
      fill(this.compared);
      return;
    }
    fill(this.compared, comparison({ url: this.job.result.files.png, words: this.job.prompt, job: this.job }, choices, () => this.#compare(null)));
    this.compared.querySelector("input")?.focus();
  }

  #key(event) {
    if (event.target.matches("input, select, [role=menuitem]") || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.step(by);
  }

  #next(job) {
    const at = this.list?.ids.indexOf(job.id) ?? -1;
    const next = this.list && jobs.get(this.list.ids[at + 1] ?? this.list.ids[at - 1] ?? this.list.ids[0]);
    if (next && next.id !== job.id) this.#show(next);
    else this.element.close();
  }

  #closed() {
    this.scrubber.stop();
    if (history.state?.lightbox) history.back();
    const card = this.list?.grid?.querySelector(`[data-job="${CSS.escape(this.job.id)}"] .card-open`);
    // The browser leads back to where it was opened; the card is that of the last picture seen.
    card?.focus();
  }
}
