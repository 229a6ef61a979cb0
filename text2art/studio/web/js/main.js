/** The page: what it is made of, and how its parts hear of each other. */

import { Actions } from "./actions.js";
import { announce } from "./announce.js";
import { api } from "./api.js";
import { Composer, toPrompt } from "./composer.js";
import { Connection } from "./connection.js";
import { draft } from "./draft.js";
import { $, debounced, fill, h } from "./dom.js";
import { takeFiles } from "./files.js";
import { Gallery } from "./gallery.js";
import { icon } from "./icons.js";
import { help, listen } from "./keys.js";
import { Lightbox } from "./lightbox.js";
import { toast } from "./overlay.js";
import { problem } from "./prompt.js";
import { Queue } from "./queue.js";
import { Stage } from "./stage.js";
import { active, apply, fetchJob, isOver, onJob, put, refreshWaiting } from "./store.js";
import { Stream } from "./stream.js";

const LINE = 8000; // milliseconds between looks at the line

async function start() {
  const main = $("#main");
  try {
    const [me, schema, styles, palettes] = await Promise.all([api.me(), api.settings(), api.styles(), api.palettes()]);
    await open(main, { me, schema, styles, palettes });
  } catch (error) {
    if (!error.status && error.hint === undefined) throw error;
    const again = h("button.button.primary", { type: "button", onclick: () => (fill(main), start()) }, icon("again"), "Try again");
    fill(main, h("div.failed-start", {}, problem(error), again));
  }
}

async function open(main, { me, schema, styles, palettes }) {
  draft.learn(schema);
  const page = {};
  /** Leave the gallery, or the large view, for the form: the way back leads there again. */
  const toDraw = (job) => {
    if (history.state?.lightbox) history.replaceState({}, "", address(job));
    else if (viewOf(location) !== "draw") history.pushState({}, "", address(job));
    page.lightbox.element.close();
    show("draw");
  };
  const watch = (job, others) => {
    toDraw(job);
    page.stage.watch(job, others);
    if (!job.frames.length || isOver(job)) fetchJob(job.id).catch(() => {});
    // Where there is one column, the picture is above what was typed.
    if (matchMedia("(max-width: 899px)").matches) scrollTo({ top: 0 });
  };
  const toForm = () => {
    toDraw(page.stage.job);
    toPrompt();
  };
  const onSubmitted = (job, others) => {
    watch(job, others);
    for (const id of others) fetchJob(id).catch(() => {});
  };
  const actions = new Actions({ schema, me, toForm, onSubmitted });
  page.lightbox = new Lightbox({ actions });
  page.composer = new Composer({ schema, styles, palettes, me, onSubmitted });
  page.stage = new Stage({ actions, onOpen: (job) => page.lightbox.open(job), onWatch: remember });
  page.gallery = new Gallery({ schema, me, actions, onOpen: (job, list) => page.lightbox.open(job, list) });
  page.queue = new Queue({ actions, me, onWatch: watch });
  const draw = h("div.draw-view", { id: "draw" }, h("h1.visually-hidden", {}, "Draw a picture"), page.composer.element, page.stage.element);
  fill(main, draw, page.gallery.element);
  document.body.append(page.queue.element);
  takeFiles(schema.caps ?? {});

  const show = (view) => {
    draw.hidden = view !== "draw";
    page.gallery.element.hidden = view !== "gallery";
    document.body.dataset.view = view;
    for (const link of document.querySelectorAll("[data-to]")) {
      if (link.dataset.to === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (view === "gallery" && !page.gallery.ids.length) page.gallery.reload();
  };
  const go = (view) => {
    if (document.body.dataset.view === view) return;
    history.pushState({}, "", view === "gallery" ? "/?view=gallery" : address(page.stage.job));
    show(view);
    if (view === "gallery") $("#gallery-title").focus();
  };
  for (const link of document.querySelectorAll("[data-to]")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go(link.dataset.to);
    });
  }
  addEventListener("popstate", () => show(viewOf(location)));
  $("#help-button").addEventListener("click", help);
  themeButton($("#theme-button"));
  listen({
    draw: () => page.composer.submit(),
    cancel: () => {
      const { job } = page.stage;
      if (job?.mine && !isOver(job) && !draw.hidden) actions.cancel(job);
    },
    prompt: toPrompt,
    gallery: () => go("gallery"),
    queue: () => page.queue.toggle(),
  });
  show(viewOf(location));
  onJob(tellOfEnd);
  await follow(page, watch);
}

/** Connect to what happens, then take up what was going on before the page was opened. */
async function follow(page, watch) {
  let first = true;
  const connection = new Connection({ onBack: () => catchUp(), onRetry: () => stream.open() });
  page.queue.onPause = () => connection.look();
  const stream = new Stream({
    onEvent: apply,
    onUp: () => {
      connection.up();
      if (first) resume().catch(() => {});
      first = false;
    },
    onDown: () => connection.lost(),
  });
  const catchUp = async () => {
    for (const job of active()) await fetchJob(job.id).catch(() => {});
    const { job } = page.stage;
    if (job) await fetchJob(job.id).catch(() => {});
  };
  // Only once the stream stands are jobs asked for: what happens in between comes by it.
  const resume = async () => {
    const wanted = new URLSearchParams(location.search).get("job");
    const list = await api.jobs({ limit: 30 });
    list.jobs.forEach(put);
    const running = active()[0];
    if (wanted) {
      await fetchJob(wanted).then((job) => viewOf(location) === "draw" && watch(job), () => (toast("There is no such picture, or it is not published."), history.replaceState({}, "", "/")));
    } else if (running && viewOf(location) === "draw") watch(await fetchJob(running.id));
    for (const job of active()) if (job.id !== wanted) fetchJob(job.id).catch(() => {});
    connection.look();
  };
  const line = debounced(400, () => refreshWaiting().catch(() => {}));
  setInterval(line, LINE);
  onJob((job, what) => {
    if (what !== "state") return;
    connection.look();
    line();
  });
  stream.open();
}

const viewOf = (place) => (new URLSearchParams(place.search).get("view") === "gallery" ? "gallery" : "draw");
const address = (job) => (job ? `/?job=${encodeURIComponent(job.id)}` : "/");

/** Keep in the address what is watched: a reloaded page goes on with it. */
function remember(job) {
  if (viewOf(location) === "draw" && !history.state?.lightbox) history.replaceState({}, "", address(job));
}

function tellOfEnd(job, what) {
  if (what !== "state" || !job.mine || job.state !== "done" || !document.hidden) return;
  if ("Notification" in window && Notification.permission === "granted") {
    new Notification("Your picture is done", { body: job.prompt, icon: job.preview ?? undefined, tag: job.id });
  }
}

function themeButton(button) {
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const show = () => {
    fill(button, icon(dark() ? "sun" : "moon"));
    button.setAttribute("aria-label", dark() ? "Light colors" : "Dark colors");
  };
  button.addEventListener("click", () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("text2art.theme", theme);
    show();
    announce(`${theme} colors`);
  });
  show();
}

start();
