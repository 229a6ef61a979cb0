/** Choices that are seen: drawers as pictures, quality and aspect as segments. */

import { draft } from "./draft.js";
import { fill, h, svg } from "./dom.js";
import { titled } from "./format.js";

// What people call the drawers that come with the studio; others go by their own names.
const TITLES = {
  pyramid: "Painting",
  pixel: "Pixel art",
  clipdraw: "Brush strokes",
  shapes: "Cut shapes",
  line: "Ink lines",
  vqgan: "VQGAN",
  fft: "Soft dream",
};
const FIRST = Object.keys(TITLES);

export const drawerTitle = (name) => TITLES[name] ?? titled(name);

/** Return drawers in the order of the tiles: ours, then those of plug-ins. */
export function inOrder(drawers) {
  const place = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return [...drawers].sort((a, b) => place(a.name) - place(b.name));
}

export const sampleOf = (name) => (FIRST.includes(name) ? `/static/samples/${name}.webp` : null);

/** Make the tiles of the drawers, a group of radio buttons. */
export function drawerTiles(drawers) {
  const tiles = inOrder(drawers).map(({ name, title: help }) => {
    const sample = sampleOf(name);
    return radio("drawer", name, `tile${name === "pixel" ? " pixelated" : ""}`, help, [
      sample
        ? h("img", { src: sample, alt: "", width: "96", height: "96", decoding: "async" })
        : h("span.tile-letter", { "aria-hidden": "true" }, name.charAt(0).toUpperCase()),
      h("span.tile-name", {}, drawerTitle(name)),
    ]);
  });
  return group("How it is made", "tiles", tiles, "drawer");
}

/** Make the segments of the quality. */
export function qualitySegments(field, presets) {
  const box = h("div");
  const build = () => {
    const chosen = draft.get("quality");
    // Those of an ancestor are shown only when one is in use.
    const names = field.choices.filter((name) => !name.includes("-") || name === chosen);
    const segments = names.map((name) => radio("quality", name, "segment", hint(presets?.[name]), [h("span", {}, titled(name))]));
    fill(box, group("Quality", "segments", segments, "quality"));
  };
  draft.onChange((names) => names.has("quality") && !segmentOf(box, draft.get("quality")) && build());
  build();
  return box;
}

const segmentOf = (box, value) => [...box.querySelectorAll("input")].some((input) => input.value === value);

function hint(preset) {
  if (!preset) return "";
  const words = [];
  if (preset.iterations) words.push(`${preset.iterations} steps`);
  if (preset.scale) words.push(`size × ${preset.scale}`);
  return words.join(", ");
}

const SHAPES = { square: [12, 12], portrait: [9, 14], widescreen: [16, 9] };

/** Make the segments of the aspect, and a box for any other. */
export function aspectSegments() {
  const segments = Object.entries(SHAPES).map(([name, [width, height]]) =>
    radio("aspect", name, "segment", "", [
      svg("svg", { viewBox: "0 0 18 18", class: "icon", "aria-hidden": "true" }, svg("rect", { x: 9 - width / 2, y: 9 - height / 2, width, height, rx: 1 })),
      h("span", {}, titled(name)),
    ]),
  );
  const other = h("input.input.short", {
    type: "text",
    placeholder: "3:2",
    "aria-label": "Another aspect, as width to height",
    maxlength: "20",
    oninput: () => draft.set("aspect", other.value.trim(), other),
  });
  const show = (source) => {
    const value = draft.get("aspect");
    if (source !== other) other.value = value in SHAPES ? "" : value;
  };
  draft.onChange((names, source) => names.has("aspect") && show(source));
  show(null);
  return h("div.row.wrap", {}, group("Aspect", "segments", segments, "aspect"), other);
}

function radio(name, value, className, help, content) {
  const input = h("input.visually-hidden", { type: "radio", name, value, onchange: () => draft.set(name, value, input) });
  return h(`label.${className.split(" ").join(".")}`, { title: help || null }, input, content);
}

function group(legend, className, labels, name) {
  const set = h("fieldset.choice", {}, h("legend", {}, legend), h(`div.${className}`, {}, labels));
  const check = () => {
    for (const input of set.querySelectorAll("input")) input.checked = input.value === String(draft.get(name));
  };
  draft.onChange((names) => names.has(name) && check());
  check();
  return set;
}
