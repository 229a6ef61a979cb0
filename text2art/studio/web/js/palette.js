/** The palette: built-in ones, or colors that are added, changed, moved and taken away. */

import { api } from "./api.js";
import { draft } from "./draft.js";
import { debounced, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { place } from "./overlay.js";
import { problem } from "./prompt.js";

const MOST = 256;
const HEX = /^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i;

/** Make the palette's part of the form. */
export function paletteEditor(palettes) {
  const strip = h("ol.swatches", { "aria-label": "Colors of the palette" });
  const trouble = h("div");
  const text = h("input.input", {
    type: "text",
    placeholder: "Name, colors or a ramp: black->gold",
    "aria-label": "Palette in words: a name, colors, a ramp",
    maxlength: "4000",
    autocomplete: "off",
    spellcheck: "false",
  });
  const editor = { colors: [], strip, text };
  const clear = h("button.link", { type: "button", onclick: () => draft.set("palette", "") }, "Any colors");
  const names = h(
    "div.palettes",
    {},
    palettes.map(({ name, colors }) =>
      h(
        "button.palette-choice",
        { type: "button", dataset: { palette: name }, onclick: () => draft.set("palette", draft.get("palette") === name ? "" : name) },
        h("span.palette-colors", { "aria-hidden": "true" }, colors.slice(0, 32).map((color) => swatchCell(color))),
        h("span", {}, name),
      ),
    ),
  );
  const known = new Map(palettes.map(({ name, colors }) => [name, colors]));
  const show = (colors) => {
    editor.colors = colors;
    drawStrip(editor);
  };
  const read = debounced(350, async () => {
    const value = draft.get("palette");
    if (!value || known.has(value)) return;
    try {
      const answer = await api.readPalette(value);
      if (draft.get("palette") === value) show(answer.colors);
      fill(trouble);
    } catch (error) {
      fill(trouble, problem(error));
    }
  });
  text.addEventListener("input", () => draft.set("palette", tidied(text.value), text));
  text.addEventListener("paste", (event) => {
    const pasted = event.clipboardData.getData("text");
    if (!/\n/.test(pasted.trim())) return;
    event.preventDefault(); // lists of hex colors, one a line, as palette sites give them
    draft.set("palette", tidied(pasted));
  });
  const take = (source) => {
    const value = String(draft.get("palette") ?? "");
    if (source !== text) text.value = value;
    clear.hidden = !value;
    for (const button of names.children) button.setAttribute("aria-pressed", String(button.dataset.palette === value));
    fill(trouble);
    if (!value) show([]);
    else if (known.has(value)) show(known.get(value));
    else if (source !== editor) read();
  };
  editor.take = take;
  draft.onChange((changed, source) => changed.has("palette") && take(source));
  take(null);
  return h("fieldset.choice", {}, h("legend", {}, "Palette"), names, strip, h("div.row", {}, text, clear), trouble);
}

/** Return pasted hex colors as a list that the studio reads; other words as they are. */
function tidied(value) {
  const parts = value.split(/[\s,;]+/).filter(Boolean);
  const colors = parts.every((part) => HEX.test(part)) && (parts.length > 1 || /^#/.test(value.trim()));
  return colors ? parts.slice(0, MOST).map((part) => (part.startsWith("#") ? part : `#${part}`)).join(",") : value.trim();
}

function swatchCell(color) {
  const cell = h("i");
  cell.style.backgroundColor = color;
  return cell;
}

function drawStrip(editor) {
  const items = editor.colors.map((color, at) => swatch(editor, color, at));
  const add = h(
    "button.swatch-add",
    { type: "button", "aria-label": "Add a color", onclick: () => change(editor, [...editor.colors, editor.colors.at(-1) ?? "#2b3bff"], editor.colors.length) },
    icon("plus"),
  );
  fill(editor.strip, items, editor.colors.length < MOST ? h("li", {}, add) : null);
}

function swatch(editor, color, at) {
  const button = h("button.swatch", {
    type: "button",
    "aria-label": `Color ${at + 1}: ${color}`,
    title: color,
    draggable: "true",
    onclick: () => edit(editor, at, button),
  });
  button.style.backgroundColor = color;
  button.addEventListener("dragstart", (event) => {
    event.dataTransfer.setData("text/x-swatch", String(at));
    event.dataTransfer.effectAllowed = "move";
  });
  button.addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("text/x-swatch")) event.preventDefault();
  });
  button.addEventListener("drop", (event) => {
    const from = event.dataTransfer.getData("text/x-swatch");
    if (from === "") return;
    event.preventDefault();
    event.stopPropagation();
    change(editor, moved(editor.colors, Number(from), at), at);
  });
  return h("li", {}, button);
}

const moved = (colors, from, to) => {
  const rest = colors.filter((_, at) => at !== from);
  return [...rest.slice(0, to), colors[from], ...rest.slice(to)];
};

function change(editor, colors, focus) {
  editor.colors = colors;
  draft.set("palette", colors.join(","), editor);
  editor.text.value = colors.join(",");
  drawStrip(editor);
  const buttons = editor.strip.querySelectorAll(".swatch");
  (buttons[Math.min(focus, buttons.length - 1)] ?? editor.strip.querySelector("button")).focus();
}

function edit(editor, at, anchor) {
  const color = editor.colors[at];
  const replace = (value) => change(editor, editor.colors.with(at, value), at);
  const well = h("input", { type: "color", value: color, "aria-label": "Color", onchange: () => replace(well.value) });
  const hex = h("input.input.short", {
    type: "text",
    value: color,
    maxlength: "7",
    "aria-label": "Color as hex",
    onchange: () => HEX.test(hex.value.trim()) && replace(full(hex.value.trim())),
  });
  const act = (name, label, run, disabled = false) =>
    h("button.icon-button", { type: "button", "aria-label": label, title: label, disabled, onclick: () => (box.hidePopover(), run()) }, icon(name));
  const box = h(
    "div.swatch-editor",
    { popover: "auto", role: "group", "aria-label": `Color ${at + 1}` },
    well,
    hex,
    act("left", "Move to the left", () => change(editor, moved(editor.colors, at, at - 1), at - 1), at === 0),
    act("right", "Move to the right", () => change(editor, moved(editor.colors, at, at + 1), at + 1), at === editor.colors.length - 1),
    act("trash", "Take it away", () => change(editor, editor.colors.filter((_, other) => other !== at), at)),
  );
  document.body.append(box);
  box.addEventListener("toggle", (event) => event.newState === "closed" && box.remove());
  box.showPopover();
  place(box, anchor);
  well.focus();
}

function full(hex) {
  const digits = hex.replace("#", "");
  return `#${digits.length === 3 ? [...digits].map((digit) => digit + digit).join("") : digits}`.toLowerCase();
}
