/** What can be done with a picture: in the studio's stage and in the lightbox alike. */

import { announce } from "./announce.js";
import { api } from "./api.js";
import { draft } from "./draft.js";
import { fill, h } from "./dom.js";
import { counted } from "./format.js";
import { icon } from "./icons.js";
import { complain, confirm, menuButton, toast } from "./overlay.js";
import { settingsFile } from "./snippets.js";
import { drop, put, refresh } from "./store.js";
import { drawerTitle, inOrder } from "./tiles.js";

const key = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

export class Actions {
  /** @param toForm shows the form; @param onSubmitted takes a job that was handed in. */
  constructor({ schema, me, toForm, onSubmitted }) {
    Object.assign(this, { schema, me, toForm, onSubmitted });
  }

  /** Return the buttons of a finished job; `step()` is the one that is looked at, null = the last. */
  bar(job, { step = () => null, extra = [], compare = null } = {}) {
    if (!job.result) return this.#without(job);
    return [
      this.likeButton(job),
      job.mine ? this.publishSwitch(job) : null,
      menuButton(labeled("forward", "Continue"), () => this.#goOn(job, step())),
      menuButton(labeled("vary", "Vary"), () => this.#vary(job)),
      menuButton(labeled("download", "Download"), () => this.#downloads(job)),
      ...extra,
      menuButton(h("button.icon-button.framed", { type: "button", "aria-label": "More", title: "More" }, icon("more")), () => this.#more(job, compare)),
    ];
  }

  #without(job) {
    if (!job.mine) return [];
    const buttons = [act("again", "Use its settings", () => this.reuse(job))];
    if (job.state === "failed" || job.state === "canceled") buttons.unshift(act("again", "Try again", () => this.retry(job), ".primary"));
    return [...buttons, act("trash", "Delete", () => this.remove(job))];
  }

  likeButton(job) {
    const button = h("button.button.quiet.like", { type: "button", "aria-pressed": String(job.liked), "aria-label": `Like, ${counted(job.likes, "like")}` }, icon("heart", job.liked), h("span", {}, String(job.likes || "")));
    button.addEventListener("click", async () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      try {
        const answer = await api.like(job.id, on);
        Object.assign(job, answer);
        button.setAttribute("aria-pressed", String(answer.liked));
        button.setAttribute("aria-label", `Like, ${counted(answer.likes, "like")}`);
        fill(button, icon("heart", answer.liked), h("span", {}, String(answer.likes || "")));
        put({ ...job, ...answer });
      } catch (error) {
        complain(error);
      }
    });
    return button;
  }

  publishSwitch(job) {
    const input = h("input.switch", { type: "checkbox", role: "switch", checked: job.public });
    input.addEventListener("change", async () => {
      try {
        const answer = put(await api.publish(job.id, input.checked));
        announce(answer.public ? "It is in the gallery now." : "It is no longer in the gallery.");
      } catch (error) {
        input.checked = !input.checked;
        complain(error);
      }
    });
    return h("label.public", {}, input, h("span", {}, "In the gallery"));
  }

  #goOn(job, step) {
    const most = this.schema.caps?.iterations ?? 1000;
    const from = step === null ? "" : ` from step ${step}`;
    return [25, 50, 100, 250, 500]
      .filter((steps) => steps <= most)
      .map((steps) => ({ icon: "forward", text: `${steps} more steps${from}`, run: () => this.#send(() => api.goOn(job.id, { iterations: steps, ...(step === null ? {} : { step }) }, key())) }));
  }

  #vary(job) {
    const settings = () => ({ ...job.settings });
    const picture = `jobs/${job.id}/${job.attempt}/result.png`;
    const others = inOrder(this.schema.drawers).filter(({ name }) => name !== job.drawer);
    return [
      { icon: "dice", text: "Another seed", run: () => this.#submit({ ...settings(), seed: undefined }) },
      { icon: "image", text: "Starting from this picture", run: () => this.#submit({ ...settings(), seed: undefined, init_image: picture }) },
      ...others.map(({ name }) => ({ icon: "brush", text: `Same seed as ${drawerTitle(name).toLowerCase()}`, note: name, run: () => this.#submit({ ...settings(), seed: job.seed, drawer: name }) })),
    ];
  }

  #downloads(job) {
    const names = { png: "Picture", svg: "Shapes, for plotters and print", mp4: "Film of the making", gif: "Film of the making", webp: "Picture or film", jpg: "Picture" };
    const files = Object.entries(job.result.files).map(([kind, url]) => ({ icon: "download", text: kind.toUpperCase(), note: names[kind] ?? "", href: `${url}${url.includes("?") ? "&" : "?"}download=1`, download: "" }));
    return [...files, { icon: "code", text: "Settings", note: "for text2art draw --settings", run: () => this.#saveSettings(job) }];
  }

  #saveSettings(job) {
    const settings = { ...job.settings, seed: job.seed };
    const url = URL.createObjectURL(new Blob([settingsFile(settings)], { type: "application/json" }));
    h("a", { href: url, download: `text2art-${job.id}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  #more(job, compare) {
    const items = [{ icon: "sliders", text: "Use its settings", run: () => this.reuse(job) }];
    if (job.seed !== null) items.push({ icon: "dice", text: "Keep its seed", note: String(job.seed), run: () => (draft.set("seed", String(job.seed)), toast(`The next picture has the seed ${job.seed}.`)) });
    if (compare) items.push({ icon: "compare", text: "Compare", run: compare });
    if (job.share) items.push({ icon: "link", text: "Copy its link", run: () => this.copyLink(job) });
    if (this.me.admin) items.push({ icon: "warning", text: job.hidden ? "Show it in the gallery again" : "Hide it from the gallery", run: () => this.#hide(job) });
    if (job.mine) items.push({ icon: "trash", text: "Delete", run: () => this.remove(job) });
    return items;
  }

  async #hide(job) {
    try {
      put(await api.hide(job.id, !job.hidden));
    } catch (error) {
      complain(error);
    }
  }

  async copyLink(job) {
    const link = new URL(job.share, location.origin).href;
    try {
      await navigator.clipboard.writeText(link);
      toast("Its link is copied.");
    } catch {
      toast(link);
    }
  }

  /** Put a job's settings into the form. */
  reuse(job) {
    draft.load({ ...job.settings, ...(job.seed === null ? {} : { seed: String(job.seed) }) });
    this.toForm();
    toast("Its settings and seed are in the form.");
  }

  async retry(job) {
    await this.#send(() => api.retry(job.id));
  }

  /** Cancel a job that waits or runs, after asking; what is there is kept. */
  async cancel(job) {
    const words = job.frames?.length ? "The picture is kept as far as it got, and can be continued." : "It has not begun to show yet.";
    if (!(await confirm("Stop drawing?", words, "Stop it", "Go on"))) return;
    try {
      put(await api.cancel(job.id));
    } catch (error) {
      if (error.status === 409) refresh(job.id);
      else complain(error);
    }
  }

  async remove(job) {
    try {
      await api.remove(job.id);
      drop(job.id);
      toast("Deleted.", { action: "Undo", run: async () => put(await api.undelete(job.id)) });
    } catch (error) {
      complain(error);
    }
  }

  #submit(settings) {
    return this.#send(() => api.submit({ ...settings, public: wantsPublic(this.me) }, key()));
  }

  async #send(request) {
    try {
      const job = put(await request());
      announce("Handed in.");
      this.onSubmitted(job, []);
    } catch (error) {
      complain(error);
    }
  }
}

const wantsPublic = (me) => draft.asked.public ?? me.publish_by_default;

const labeled = (name, words) => h("button.button.quiet", { type: "button" }, icon(name), h("span", {}, words));

const act = (name, words, run, kind = ".quiet") => h(`button.button${kind}`, { type: "button", onclick: run }, icon(name), h("span", {}, words));
