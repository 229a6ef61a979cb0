/** The left side: everything that a picture is asked for with, and the one big button. */

import { announce } from "./announce.js";
import { api } from "./api.js";
import { draft } from "./draft.js";
import { $, fill, h } from "./dom.js";
import { initImage } from "./files.js";
import { settingsForm } from "./form.js";
import { counted } from "./format.js";
import { icon } from "./icons.js";
import { complain, dialog, toast } from "./overlay.js";
import { paletteEditor } from "./palette.js";
import { promptBox, promptError } from "./prompt.js";
import { command, curl, program } from "./snippets.js";
import { put } from "./store.js";
import { styleChips } from "./styles.js";
import { aspectSegments, drawerTiles, qualitySegments } from "./tiles.js";

export class Composer {
  /** @param onSubmitted takes the first of the jobs that were handed in. */
  constructor({ schema, styles, palettes, me, onSubmitted }) {
    this.schema = schema;
    this.me = me;
    this.onSubmitted = onSubmitted;
    this.pending = null; // what was sent and not answered: a second try must not draw it twice
    const field = (name) => schema.fields.find((row) => row.name === name);
    this.parts = new Map(); // by their settings: those that have a place of their own
    this.form = settingsForm(schema, me);
    this.button = h("button.button.primary.draw", { type: "submit" }, icon("brush"), h("span", {}, "Draw"), h("kbd", { "aria-hidden": "true" }, /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵"));
    this.element = h(
      "form.composer",
      { id: "composer", novalidate: true, "aria-label": "What to draw", onsubmit: (event) => (event.preventDefault(), this.submit()) },
      promptBox(),
      this.#part("drawer", drawerTiles(schema.drawers)),
      this.#part("styles", styleChips(styles)),
      this.#part("quality", qualitySegments(field("quality"), schema.presets)),
      this.#part("aspect", aspectSegments()),
      this.#part("palette", paletteEditor(palettes.palettes)),
      this.#part("init_image", initImage()),
      this.#part("seed", seedBox()),
      h("fieldset.choice", {}, h("legend", {}, "Afterwards"), publicSwitch(me)),
      this.form.element,
      h("p.row.foot", {}, h("button.link", { type: "button", onclick: () => this.showCode() }, icon("code"), "Copy as curl, Python or command"), h("button.link", { type: "button", onclick: () => this.reset() }, "Back to the defaults")),
      h("div.draw-bar", {}, this.button, countStepper(schema.caps?.batch ?? 1)),
    );
  }

  /** What POST /jobs is sent. */
  body() {
    const asked = { ...draft.asked };
    asked.public = draft.asked.public ?? this.me.publish_by_default;
    return { ...draft.settings(), ...asked };
  }

  async submit() {
    if (this.button.getAttribute("aria-disabled") === "true") return;
    const body = this.body();
    if (!String(body.prompts ?? "").trim() && !body.image_prompts && !body.target_images) {
      promptError({ message: "Say what to draw, in a few words.", hint: "" });
      return;
    }
    this.button.setAttribute("aria-disabled", "true");
    const written = JSON.stringify(body);
    if (this.pending?.written !== written) this.pending = { written, key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    try {
      const job = await api.submit(body, this.pending.key);
      this.pending = null;
      put(job);
      const others = (job.batch ?? []).filter((id) => id !== job.id);
      announce(others.length ? `${counted(others.length + 1, "picture")} handed in.` : "Handed in.");
      this.onSubmitted(job, others);
    } catch (error) {
      if (error.status && error.status < 500 && error.status !== 429) this.pending = null;
      this.refuse(error);
    } finally {
      this.button.removeAttribute("aria-disabled");
    }
  }

  /** Keep a part of the form, with a place below it for what is wrong with its setting. */
  #part(name, element) {
    const trouble = h("p.field-error", { hidden: true, role: "alert" });
    draft.onChange((names) => names.has(name) && (trouble.hidden = true));
    const part = h("div.part", { dataset: { part: name } }, element, trouble);
    part.complain = (error) => {
      fill(trouble, [error.message, error.hint].filter(Boolean).join(" "));
      trouble.hidden = false;
      (element.querySelector("input:checked, input:not([type=file]), button") ?? element).focus();
      part.scrollIntoView({ block: "center" });
    };
    this.parts.set(name, part);
    return part;
  }

  /** Show an error where it belongs. */
  refuse(error) {
    const field = error.field || "";
    if (error.status === 422 && field === "prompts") promptError(error);
    else if (error.status === 422 && this.parts.has(field)) this.parts.get(field).complain(error);
    else if (error.status === 422 && this.form.rows.has(field)) {
      this.form.element.open = true;
      this.form.rows.get(field).complain(error);
    } else if (error.status === 429) complain({ ...error, status: 429, message: error.message, hint: error.hint || `Try again in ${error.retryAfter || "a few"} s.` });
    else complain(error);
  }

  reset() {
    const before = { ...draft.values };
    draft.load({ prompts: draft.get("prompts") });
    toast("All settings are back to their defaults.", { action: "Undo", run: () => restore(before) });
  }

  showCode() {
    const settings = this.body();
    if (!settings.prompts) settings.prompts = "a sailboat on the sea";
    const drawn = { ...draft.settings(), prompts: settings.prompts };
    const kinds = new Map(this.schema.fields.map((row) => [row.name, row.kind]));
    dialog("Draw the same elsewhere", [
      code("Command line", command(drawn, kinds)),
      code("Python", program(drawn)),
      code("curl", curl(settings, location.origin, this.me.local)),
    ], { className: "wide" });
  }
}

function restore(values) {
  draft.values = values;
  draft.merge({});
}

function code(title, text) {
  const button = h("button.button.quiet", { type: "button", "aria-label": `Copy: ${title}` }, icon("copy"), h("span", {}, "Copy"));
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      fill(button, icon("check"), h("span", {}, "Copied"));
      announce("Copied.");
    } catch {
      getSelection().selectAllChildren(block); // not allowed here: it is marked, to be copied by hand
    }
  });
  const block = h("pre", { tabindex: "0", "aria-label": title }, text);
  return h("section.snippet", {}, h("div.row.between", {}, h("h3", {}, title), button), block);
}

function seedBox() {
  const input = h("input.input.short", {
    id: "seed",
    type: "text",
    placeholder: "by chance",
    maxlength: "200",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "seed-help",
    oninput: () => draft.set("seed", input.value.trim(), input),
  });
  const roll = () => draft.set("seed", String(crypto.getRandomValues(new Uint32Array(1))[0]));
  const clear = h("button.link", { type: "button", onclick: () => (draft.set("seed", null), input.focus()) }, "By chance");
  const show = (source) => {
    if (source !== input) input.value = draft.get("seed") ?? "";
    clear.hidden = !draft.isGiven("seed");
  };
  draft.onChange((names, source) => names.has("seed") && show(source));
  show(null);
  return h(
    "fieldset.choice",
    {},
    h("legend", {}, "Seed"),
    h("div.row", {}, h("label.visually-hidden", { for: "seed" }, "Seed"), input, h("button.icon-button.framed", { type: "button", "aria-label": "Draw a seed and keep it", title: "Draw a seed and keep it", onclick: roll }, icon("dice")), clear),
    h("p.help", { id: "seed-help" }, "The same seed and settings draw the same picture."),
  );
}

function countStepper(most) {
  const number = h("output.count", { "aria-live": "off" });
  const step = (by) => draft.setAsked("count", Math.max(1, Math.min(most, (draft.getAsked("count") ?? 1) + by)));
  const less = h("button.icon-button", { type: "button", "aria-label": "One picture less", onclick: () => step(-1) }, icon("minus"));
  const more = h("button.icon-button", { type: "button", "aria-label": "One picture more", onclick: () => step(1) }, icon("plus"));
  const show = () => {
    const count = draft.getAsked("count") ?? 1;
    fill(number, h("span", { "aria-hidden": "true" }, `× ${count}`), h("span.visually-hidden", {}, counted(count, "picture")));
    less.disabled = count <= 1;
    more.disabled = count >= most;
  };
  draft.onChange((names) => names.has("ask:count") && show());
  show();
  return h("div.stepper", { role: "group", "aria-label": "How many pictures" }, less, number, more);
}

function publicSwitch(me) {
  const input = h("input.switch", { type: "checkbox", role: "switch", id: "public", onchange: () => draft.setAsked("public", input.checked === me.publish_by_default ? null : input.checked) });
  const show = () => (input.checked = draft.asked.public ?? me.publish_by_default);
  draft.onChange((names) => names.has("ask:public") && show());
  show();
  return h("label.public", { for: "public" }, input, h("span", {}, "Hang it in the gallery, for all to see"));
}

/** Bring the form into view and the caret into the prompt. */
export function toPrompt() {
  $("#prompt").focus();
  $("#composer").scrollIntoView({ block: "start" });
}
