/** Style chips: words that follow every prompt. */

import { draft } from "./draft.js";
import { fill, freshId, h } from "./dom.js";
import { icon } from "./icons.js";
import { toast } from "./overlay.js";

const FIRST = 9;

/** Make the chips: the chosen ones, some to begin with, and all of them behind a search. */
export function styleChips({ categories, styles }) {
  const byName = new Map(styles.map((style) => [style.name, style]));
  const inMind = styles.filter((style) => style.starter);
  // A few of each kind say more than the first nine of a list.
  const first = spread(categories, inMind.length >= FIRST ? inMind : styles).slice(0, FIRST);
  const chips = h("div.chips");
  const all = h("div.all-styles", { hidden: true });
  const id = freshId("styles");
  all.id = id;
  const more = h(
    "button.link",
    {
      type: "button",
      "aria-expanded": "false",
      "aria-controls": id,
      onclick: () => {
        all.hidden = !all.hidden;
        more.setAttribute("aria-expanded", String(!all.hidden));
        more.textContent = all.hidden ? `All ${styles.length} styles` : "Fewer styles";
        if (!all.hidden) search.focus();
      },
    },
    `All ${styles.length} styles`,
  );
  const search = h("input.input", {
    type: "search",
    placeholder: "Search styles",
    "aria-label": "Search styles",
    oninput: () => list(),
  });
  const found = h("div");
  const none = h("p.quiet", { hidden: true }, "No style is called so. Its words may stand in the prompt all the same.");
  fill(all, h("div.search", {}, icon("search"), search), found, none);

  const list = () => {
    const words = plain(search.value).split(" ").filter(Boolean);
    const matching = styles.filter((style) => words.every((word) => plain(`${style.name} ${style.title} ${style.words} ${style.category}`).includes(word)));
    none.hidden = matching.length > 0;
    fill(
      found,
      categories.map(({ name, title }) => {
        const members = matching.filter((style) => style.category === name);
        return members.length ? h("section.style-kind", {}, h("h3", {}, title), h("div.chips", {}, members.map((style) => chip(style)))) : null;
      }),
    );
  };
  const show = () => {
    const chosen = names(draft.get("styles"));
    const rest = first.filter((style) => !chosen.some((one) => one.name === style.name));
    const given = chosen.map(({ name, weight }) => chip(byName.get(name) ?? { name, title: name, words: name }, weight));
    fill(chips, given, rest.map((style) => chip(style)), more);
    if (!all.hidden) list();
  };
  more.addEventListener("click", list);
  draft.onChange((changed) => {
    if (!changed.has("styles")) return;
    const focused = document.activeElement?.dataset?.style;
    show();
    if (focused) (chips.querySelector(`[data-style="${CSS.escape(focused)}"]`) ?? more).focus();
  });
  show();
  return h("fieldset.choice", {}, h("legend", {}, "Style"), chips, all);
}

function chip(style, weight = "") {
  const on = names(draft.get("styles")).some((one) => one.name === style.name);
  return h(
    "button.chip",
    {
      type: "button",
      "aria-pressed": String(on),
      title: style.words,
      dataset: { style: style.name },
      onclick: () => toggle(style, !on),
    },
    on ? icon("check") : null,
    h("span", {}, weight ? `${style.title} ${weight}` : style.title),
  );
}

function toggle(style, on) {
  const rest = names(draft.get("styles")).filter((one) => one.name !== style.name);
  const chosen = on ? [...rest, { name: style.name, weight: "" }] : rest;
  draft.set("styles", chosen.map(({ name, weight }) => (weight ? `${name}:${weight}` : name)));
  const missing = draft.flat(style.recommended).filter(([name, value]) => draft.get(name) !== value);
  if (on && missing.length) {
    const told = missing.map(([name, value]) => `${name} ${value}`).join(", ");
    toast(`${style.title} goes well with ${told}.`, { action: "Use it", run: () => draft.merge(style.recommended) });
  }
}

/** Return the names and weights that the setting `styles` has. */
function names(value) {
  const list = Array.isArray(value) ? value : String(value ?? "").split(",");
  return list
    .map((text) => String(text).trim())
    .filter(Boolean)
    .map((text) => {
      const [name, weight = ""] = text.split(":");
      return { name, weight };
    });
}

function spread(categories, styles) {
  const kinds = categories.map(({ name }) => styles.filter((style) => style.category === name));
  const longest = Math.max(0, ...kinds.map((kind) => kind.length));
  return Array.from({ length: longest }, (_, at) => kinds.map((kind) => kind[at])).flat().filter(Boolean);
}

const plain = (text) => text.toLowerCase().replace(/[-_#]+/g, " ").trim();
