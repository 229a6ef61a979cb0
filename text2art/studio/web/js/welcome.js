/** The stage before there is a picture: what this is, and words to begin with. */

import { draft } from "./draft.js";
import { $, h } from "./dom.js";

const EXAMPLES = ["a castle at night", "a red apple on a blue background", "a palm tree at sunset", "a snowman in the snow", "a rocket in space"];
const WALL = ["clipdraw", "pixel", "shapes", "pyramid", "line", "fft"];

/** Make what stands on the stage before the first picture. */
export function welcome() {
  const wall = WALL.map((name) => h(`img${name === "pixel" ? ".pixelated" : ""}`, { src: `/static/samples/${name}.webp`, alt: "", width: "160", height: "160", decoding: "async" }));
  const tries = EXAMPLES.map((words) =>
    h("li", {}, h("button.chip", { type: "button", onclick: () => (draft.set("prompts", words), $("#prompt").focus()) }, words)),
  );
  return h(
    "div.welcome",
    {},
    h("div.wall", { "aria-hidden": "true" }, wall),
    h("h2", {}, "Say it, and watch it form."),
    h("p", {}, "One sailboat, drawn in six ways. Describe your own, choose how it is made, press Draw."),
    h("ul.chips", { "aria-label": "Words to begin with" }, tries),
  );
}
