/** The right side: the picture as it forms, how far it is, and what can be done with it. */

import { announce } from "./announce.js";
import { draft } from "./draft.js";
import { fill, h } from "./dom.js";
import { about, lasting, nth, percent } from "./format.js";
import { icon } from "./icons.js";
import { Picture, altOf, isPixelArt, making, ratioOf } from "./picture.js";
import { Curve, Ring } from "./progress.js";
import { Scrubber } from "./scrubber.js";
import { isOver, jobs, onJob } from "./store.js";
import { welcome } from "./welcome.js";

const SLOW = 600; // seconds that are worth a word
const WARMING = 4; // seconds without a picture after which a word about it is due

export class Stage {
  constructor({ actions, onOpen, onWatch }) {
    Object.assign(this, { actions, onOpen, onWatch });
    this.job = null;
    this.others = [];
    this.said = "";
    this.stand = ""; // what the buttons were made for
    this.picture = new Picture();
    this.ring = new Ring();
    this.curve = new Curve();
    this.scrubber = new Scrubber((frame) => this.#pick(frame));
    this.title = h("h2.stage-prompt");
    this.status = h("p.stage-status");
    this.hint = h("p.stage-hint", { hidden: true });
    this.live = h("div.stage-live", {}, this.ring.element, h("div.stage-words", {}, this.status, this.hint), this.curve.element);
    this.bar = h("div.stage-actions");
    this.strip = h("ul.strip", { hidden: true, "aria-label": "Handed in together" });
    this.work = h("div.stage-work", { hidden: true }, this.picture.element, this.scrubber.element, this.title, this.live, this.bar, this.strip);
    this.empty = welcome();
    this.element = h("section.stage", { "aria-label": "The picture", id: "stage" }, this.empty, this.work);
    this.picture.frame.addEventListener("click", () => this.job?.result && this.onOpen(this.job));
    onJob((job, what) => this.#heard(job, what));
    setInterval(() => this.job?.state === "running" && this.#words(), 1000);
  }

  /** Show a job from now on; `others` came with it. */
  watch(job, others = []) {
    this.others = job ? [job.id, ...others] : [];
    this.#show(job);
  }

  #show(job) {
    const same = this.job?.id === job?.id;
    this.job = job;
    this.work.hidden = !job;
    this.empty.hidden = Boolean(job);
    document.body.classList.toggle("watching", Boolean(job));
    this.onWatch(job);
    if (!job) {
      document.title = "text2art";
      return;
    }
    if (!same) {
      this.scrubber.reset();
      this.picture.clear();
      this.said = "";
      this.seen = Date.now();
    }
    this.#draw();
  }

  #heard(job, what) {
    if (what === "gone") this.others = this.others.filter((id) => id !== job.id);
    if (this.others.includes(job.id) || what === "gone") this.#siblings();
    if (job.id !== this.job?.id) return;
    if (what === "gone") {
      this.#show(null);
      return;
    }
    this.job = job;
    if (what === "frame") this.#frames();
    else if (what === "score") this.#score();
    else if (what === "progress") this.#words();
    else this.#draw();
  }

  #draw() {
    const { job } = this;
    fill(this.title, job.prompt);
    this.#frames();
    this.#words();
    this.#score();
    this.#buttons();
    this.#siblings();
  }

  #frames() {
    const frames = making(this.job);
    this.scrubber.show(frames);
    if (this.scrubber.step === null) this.#pick(null);
  }

  #pick(frame) {
    const shown = frame ?? making(this.job).at(-1);
    if (!shown) {
      this.picture.hold(waitingFor(this.job), ratioOf(this.job));
      return;
    }
    this.picture.show(shown.url, {
      alt: altOf(this.job, isOver(this.job) && !frame ? undefined : shown.step),
      pixelated: isPixelArt(this.job),
      ratio: ratioOf(this.job),
      fade: frame === null,
    });
  }

  #score() {
    this.curve.show(this.job.curve ?? [], this.job.steps);
  }

  #words() {
    const { job } = this;
    const over = isOver(job);
    this.ring.element.hidden = over;
    this.ring.show(job.state === "running" && job.steps ? job.progress : null);
    fill(this.status, statusOf(job));
    const hint = this.#hintOf();
    this.hint.hidden = !hint;
    fill(this.hint, hint);
    this.live.classList.toggle("bad", job.state === "failed");
    document.title = job.state === "running" ? `${percent(job.progress ?? 0)} · text2art` : `${over && job.result ? "✓ " : ""}text2art`;
    this.#say();
  }

  #hintOf() {
    const { job } = this;
    if (isOver(job) || !job.mine) return null;
    if (job.state === "running" && !job.frames.length && Date.now() - this.seen > WARMING * 1000) {
      return "The models are being read: the first picture of a session takes longer.";
    }
    if ((job.eta_seconds ?? 0) > SLOW && job.state === "running") {
      const easier = h("button.link", { type: "button", onclick: () => draft.merge({ quality: "draft", drawer: "pixel" }) }, "draft quality with the pixel drawer");
      return [`This takes ${about(job.eta_seconds)} on this machine. You may close the page: it goes on. Next time, `, easier, " is much quicker."];
    }
    return null;
  }

  /** Say what changed, now and then rather than at each step. */
  #say() {
    const { job } = this;
    const quarter = Math.floor((job.progress ?? 0) * 4) * 25;
    const running = quarter ? `${quarter} percent` : "Drawing has begun.";
    const waits = job.position ? `Waiting, ${nth(job.position)} in line.` : "Waiting.";
    const words = { queued: waits, running, done: "The picture is done.", failed: `It failed: ${job.error}`, canceled: "Stopped." }[job.state];
    if (words !== this.said) announce(words);
    this.said = words;
  }

  /** Make the buttons anew only if they changed: a click must not fall between two sets of them. */
  #buttons() {
    const { job } = this;
    const { id, attempt, state, cancel_requested, mine, public: shown, hidden, liked, likes, result, error } = job;
    const stand = JSON.stringify([id, attempt, state, cancel_requested, mine, shown, hidden, liked, likes, result, error]);
    if (stand === this.stand) return;
    this.stand = stand;
    const focused = this.bar.contains(document.activeElement);
    if (isOver(job)) fill(this.bar, this.actions.bar(job, { step: () => this.scrubber.step, extra: this.#film(job) }));
    else if (job.mine) {
      const cancel = h("button.button.quiet", { type: "button", onclick: () => this.actions.cancel(this.job) }, icon("stop"), h("span", {}, job.cancel_requested ? "Stopping …" : "Stop"));
      cancel.disabled = job.cancel_requested;
      fill(this.bar, cancel, notifyButton());
    } else fill(this.bar);
    if (focused && !this.bar.contains(document.activeElement)) this.bar.querySelector("button:not(:disabled)")?.focus();
  }

  #film(job) {
    const url = job.result?.files?.mp4;
    if (!url) return [];
    const button = h("button.button.quiet", { type: "button", "aria-pressed": "false" }, icon("play"), h("span", {}, "Film"));
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      if (on) this.picture.hold(h("video", { src: url, controls: true, autoplay: true, loop: true, playsinline: true, "aria-label": "Film of the making" }), ratioOf(job));
      else this.#pick(null);
    });
    return [button];
  }

  #siblings() {
    const ids = this.others.filter((id) => jobs.has(id));
    this.strip.hidden = ids.length < 2;
    fill(this.strip, ids.length < 2 ? [] : ids.map((id) => this.#sibling(jobs.get(id))));
  }

  #sibling(job) {
    const words = `${job.prompt}, ${statusOf(job)}`;
    const current = job.id === this.job?.id;
    const button = h("button.thumb", { type: "button", "aria-label": words, "aria-current": current ? "true" : null, onclick: () => this.#show(jobs.get(job.id)) }, job.preview ? h("img", { src: job.preview, alt: "" }) : icon("queue"));
    if (isPixelArt(job)) button.classList.add("pixelated");
    return h("li", {}, button);
  }
}

/** Say in a line how a job stands. */
export function statusOf(job) {
  if (job.state === "queued") {
    const place = job.position ? `${nth(job.position)} in line` : "Waiting";
    return job.eta_seconds ? `${place}, ready in ${about(job.eta_seconds)}` : place;
  }
  if (job.state === "running") {
    if (job.cancel_requested) return "Stopping …";
    if (!job.steps || !job.step) return "Warming up …";
    const left = job.eta_seconds === null || job.eta_seconds === undefined ? "" : `, ${about(job.eta_seconds)} left`;
    return `Step ${job.step} of ${job.steps}${left}`;
  }
  if (job.state === "failed") return job.error || "It failed.";
  const seconds = job.result?.seconds ?? (job.started && job.finished ? job.finished - job.started : null);
  const how = [job.drawer, job.seed !== null ? `seed ${job.seed}` : "", job.step ? `${job.step} steps` : "", seconds ? lasting(seconds) : ""].filter(Boolean).join(" · ");
  return job.state === "canceled" ? `Stopped${job.result ? " · " : ", before there was a picture"}${job.result ? how : ""}` : how;
}

function waitingFor(job) {
  const failed = job.state === "failed" || job.state === "canceled";
  return h(`div.no-picture${failed ? ".over" : ""}`, {}, failed ? icon("warning") : h("span.weave", { "aria-hidden": "true" }));
}

function notifyButton() {
  if (!("Notification" in window) || Notification.permission !== "default") return null;
  const button = h("button.button.quiet", { type: "button" }, icon("bell"), h("span", {}, "Tell me when it is done"));
  button.addEventListener("click", async () => {
    await Notification.requestPermission();
    button.remove();
  });
  return button;
}
