/** The gallery: pictures in rows, newest first, more of them as one goes on. */

import { api } from "./api.js";
import { debounced, fill, h } from "./dom.js";
import { ago } from "./format.js";
import { icon } from "./icons.js";
import { altOf, isPixelArt, ratioOf } from "./picture.js";
import { problem } from "./prompt.js";
import { jobs, onJob, put } from "./store.js";
import { drawerTitle, inOrder } from "./tiles.js";

const PAGE = 24;

export class Gallery {
  constructor({ schema, me, actions, onOpen }) {
    Object.assign(this, { actions, onOpen });
    this.ids = [];
    this.cursor = null;
    this.loading = null;
    this.whose = me.local ? "mine" : "all";
    this.search = h("input.input", { type: "search", placeholder: "Search prompts", "aria-label": "Search prompts", oninput: debounced(300, () => this.reload()) });
    this.drawer = h("select.input", { "aria-label": "Drawer", onchange: () => this.reload() }, h("option", { value: "" }, "Every drawer"), inOrder(schema.drawers).map(({ name }) => h("option", { value: name }, drawerTitle(name))));
    this.whoseButtons = [["mine", "Mine"], ["all", "Published"], ["liked", "Liked"]].map(([value, words]) => {
      const input = h("input.visually-hidden", { type: "radio", name: "whose", value, checked: value === this.whose, onchange: () => ((this.whose = value), this.reload()) });
      return h("label.segment", {}, input, h("span", {}, words));
    });
    this.grid = h("ul.gallery-grid", { "aria-label": "Pictures" });
    this.state = h("div.gallery-state");
    this.more = h("button.button.quiet.more", { type: "button", hidden: true, onclick: () => this.load() }, "More pictures");
    this.element = h(
      "section.gallery",
      { "aria-labelledby": "gallery-title", hidden: true },
      h(
        "header.gallery-head",
        {},
        h("h1", { id: "gallery-title", tabindex: "-1" }, "Gallery"),
        h("fieldset.choice", {}, h("legend.visually-hidden", {}, "Which pictures"), h("div.segments", {}, this.whoseButtons)),
        h("div.search", {}, icon("search"), this.search),
        this.drawer,
      ),
      this.grid,
      this.state,
      this.more,
    );
    new IntersectionObserver((entries) => entries[0].isIntersecting && this.cursor && !this.element.hidden && this.load(), { rootMargin: "800px" }).observe(this.more);
    this.grid.addEventListener("keydown", (event) => this.#move(event));
    onJob((job, what) => this.#heard(job, what));
  }

  reload() {
    this.loading?.abort();
    this.loading = null;
    this.ids = [];
    this.cursor = null;
    this.grid.replaceChildren();
    return this.load();
  }

  async load() {
    if (this.loading) return;
    const request = (this.loading = new AbortController());
    fill(this.state, this.ids.length ? null : Array.from({ length: 6 }, () => h("span.ghost")));
    try {
      const page = await this.#ask(request.signal);
      if (request !== this.loading) return;
      const fresh = page.jobs.filter((job) => !this.ids.includes(job.id) && job.preview);
      this.ids.push(...fresh.map((job) => job.id));
      this.grid.append(...fresh.map((job) => this.#card(put(job))));
      this.cursor = page.next;
      fill(this.state, this.ids.length || this.cursor ? null : this.#nothing());
    } catch (error) {
      if (error.name === "AbortError") return;
      const again = h("button.button.quiet", { type: "button", onclick: () => this.load() }, icon("again"), "Try again");
      fill(this.state, problem(error), again);
    }
    this.loading = null;
    this.more.hidden = !this.cursor;
    // A page of which nothing fits the filter brings no scrolling that would ask for the next.
    if (this.cursor && !this.grid.childElementCount) await this.load();
  }

  async #ask(signal) {
    const wanted = { q: this.search.value.trim(), drawer: this.drawer.value, limit: PAGE, cursor: this.cursor };
    if (this.whose !== "mine") return api.gallery({ ...wanted, liked: this.whose === "liked" ? "true" : "" }, signal);
    const page = await api.jobs({ limit: PAGE, cursor: this.cursor });
    const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (job) => job.result && (!wanted.drawer || job.drawer === wanted.drawer) && words.every((word) => job.prompt.toLowerCase().includes(word));
    return { ...page, jobs: page.jobs.filter(fits) };
  }

  #card(job) {
    const ratio = ratioOf(job);
    const open = h(
      "button.card-open",
      { type: "button", onclick: () => this.onOpen(jobs.get(job.id) ?? job, this) },
      h(`img${isPixelArt(job) ? ".pixelated" : ""}`, { src: job.preview, alt: altOf(job), loading: "lazy", decoding: "async", draggable: "false" }),
    );
    const card = h(
      "li.card",
      { dataset: { job: job.id } },
      open,
      h("div.card-words", {}, h("span.card-prompt", {}, job.prompt), h("small", {}, `${drawerTitle(job.drawer)} · ${ago(job.finished ?? job.created)}`)),
      this.actions.likeButton(job),
    );
    card.style.setProperty("--ratio", String(ratio));
    return card;
  }

  #nothing() {
    const filtered = this.search.value || this.drawer.value;
    if (filtered) return h("p.nothing", {}, "No picture fits. Fewer words find more.");
    const words = {
      mine: "Your pictures will hang here. The first one is a prompt away.",
      all: "Nobody has published a picture yet. Under each of yours is a switch that does.",
      liked: "You like nothing yet. The heart on a picture puts it here.",
    };
    return h("p.nothing", {}, words[this.whose]);
  }

  #heard(job, what) {
    if (what === "gone") {
      this.ids = this.ids.filter((id) => id !== job.id);
      this.#find(job.id)?.remove();
    } else if (what === "state" && this.whose === "mine" && job.mine && job.result && !this.ids.includes(job.id) && this.loaded && !this.search.value && !this.drawer.value) {
      this.ids.unshift(job.id);
      this.grid.prepend(this.#card(job));
      fill(this.state);
    } else if (what === "job" && this.#find(job.id)) {
      this.#find(job.id).querySelector(".like").replaceWith(this.actions.likeButton(job));
    }
  }

  get loaded() {
    return !this.loading && !this.element.hidden;
  }

  #find(id) {
    return this.grid.querySelector(`[data-job="${CSS.escape(id)}"]`);
  }

  /** Go from picture to picture by the arrows, up and down by what is nearest. */
  #move(event) {
    if (!event.target.matches(".card-open")) return;
    const cards = [...this.grid.querySelectorAll(".card-open")];
    const at = cards.indexOf(event.target);
    let to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: cards.length - 1 }[event.key];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") to = nearest(cards, at, event.key === "ArrowDown" ? 1 : -1);
    if (to === undefined || !cards[to]) return;
    event.preventDefault();
    cards[to].focus();
  }
}

function nearest(cards, at, direction) {
  const from = cards[at].getBoundingClientRect();
  const middle = from.left + from.width / 2;
  const rows = cards
    .map((card, index) => ({ box: card.getBoundingClientRect(), index }))
    .filter(({ box }) => (direction > 0 ? box.top > from.top + 4 : box.top < from.top - 4));
  const top = direction > 0 ? Math.min(...rows.map(({ box }) => box.top)) : Math.max(...rows.map(({ box }) => box.top));
  const row = rows.filter(({ box }) => Math.abs(box.top - top) < 4);
  row.sort((a, b) => Math.abs(a.box.left + a.box.width / 2 - middle) - Math.abs(b.box.left + b.box.width / 2 - middle));
  return row[0]?.index;
}
