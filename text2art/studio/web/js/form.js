/** All settings, generated from what /settings says: groups, help, limits. */

import { draft } from "./draft.js";
import { fill, h } from "./dom.js";
import { fieldRow } from "./field.js";
import { counted, titled } from "./format.js";
import { icon } from "./icons.js";

// These have a place of their own above.
const SEEN = new Set(["prompts", "drawer", "quality", "aspect", "styles", "seed", "palette", "init_image"]);
// Settings whose values name parts that have options of their own.
const NAMING = ["drawer", "losses", "filters", "cutouts"];

/** Make the form of all settings that have no other place. */
export function settingsForm({ fields, groups, options }, me) {
  const rows = new Map();
  const wanted = fields.filter((field) => !SEEN.has(field.name));
  const sections = groups
    .map((group) => section(group, wanted.filter((field) => field.group === group.name), rows))
    .filter(Boolean);
  const asking = options.filter((field) => field.name !== "count" && field.name !== "public" && (field.name !== "email" || me.mail));
  const asked = asking.length ? section({ name: "asked", title: "When and whom to tell" }, asking, rows, true) : null;
  const search = h("input.input", { type: "search", placeholder: "Search settings", "aria-label": "Search settings", oninput: () => find() });
  const none = h("p.quiet", { hidden: true }, "No setting is called so.");
  const body = h("div.settings", {}, h("div.search", {}, icon("search"), search), sections.map(({ element }) => element), asked?.element, none);
  const all = asked ? [...sections, asked] : sections;

  const find = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let hits = 0;
    for (const part of all) hits += part.find(words);
    none.hidden = hits > 0;
  };
  const count = h("span.badge", { hidden: true });
  const details = h("details.all-settings", {}, h("summary", {}, icon("sliders"), h("span", {}, "All settings"), count), body);
  const show = () => {
    const given = all.reduce((sum, part) => sum + part.show(), 0);
    count.hidden = given === 0;
    fill(count, counted(given, "change"));
    if (search.value) find();
  };
  draft.onChange(show);
  show();
  return { element: details, rows };
}

function section({ name, title }, fields, rows, asked = false) {
  if (!fields.length) return null;
  const ofPart = fields.every((field) => field.name.startsWith(`${name}.`));
  const count = h("span.badge", { hidden: true });
  const elements = fields.map((field) => {
    const row = fieldRow(field, asked);
    rows.set(field.name, row);
    return { row, told: `${field.name} ${titled(field.name)} ${field.help} ${(field.aliases ?? []).join(" ")}`.toLowerCase() };
  });
  const details = h("details.group", { dataset: { group: name } }, h("summary", {}, h("span", {}, title || titled(name)), count), elements.map(({ row }) => row));
  let fits = true;
  const show = () => {
    const given = fields.filter((field) => (asked ? field.name in draft.asked : draft.isGiven(field.name))).length;
    fits = !ofPart || given > 0 || isNamed(name);
    details.hidden = !fits;
    count.hidden = given === 0;
    fill(count, String(given));
    return given;
  };
  /** Show what has all words in it; return how much that is. */
  const find = (words) => {
    let hits = 0;
    for (const { row, told } of elements) {
      row.hidden = !words.every((word) => told.includes(word));
      hits += row.hidden ? 0 : 1;
    }
    // A search reaches parts that are not in use as well.
    details.hidden = words.length ? hits === 0 : !fits;
    details.open = words.length > 0 && hits > 0;
    return details.hidden ? 0 : hits;
  };
  return { element: details, show, find };
}

/** Whether a part is in use: the chosen drawer, a loss or filter that is named. */
function isNamed(part) {
  return NAMING.some((setting) => {
    const value = draft.get(setting);
    if (value !== null && typeof value === "object") return part in value;
    return new RegExp(`(^|[,\\s])${part}($|[,:\\s-])`).test(String(value ?? ""));
  });
}
