/** Two pictures, one over the other, with an edge that is pulled across. */

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { isPixelArt, ratioOf } from "./picture.js";

/**
 * Make a comparison.
 * @param one {url, words, job}; @param choices what it can be compared with; @param onEnd closes it.
 */
export function comparison(one, choices, onEnd) {
  const under = h("img", { src: one.url, alt: `Right: ${one.words}`, draggable: "false" });
  const over = h("img.compare-over", { draggable: "false" });
  const edge = h("span.compare-edge", { "aria-hidden": "true" }, icon("compare"));
  const range = h("input.compare-range", { type: "range", min: "0", max: "100", value: "50", "aria-label": "Where the edge between the pictures is" });
  const box = h("div.compare", {}, under, over, edge, range);
  box.style.setProperty("--ratio", String(ratioOf(one.job)));
  under.classList.toggle("pixelated", isPixelArt(one.job));
  const pull = () => box.style.setProperty("--edge", `${range.value}%`);
  range.addEventListener("input", pull);
  pull();
  const thumbs = choices.map((choice) => {
    const button = h("button.thumb", { type: "button", "aria-label": `Compare with ${choice.words}` }, h("img", { src: choice.url, alt: "" }));
    button.addEventListener("click", () => choose(choice, button));
    return button;
  });
  const choose = (choice, button) => {
    over.src = choice.url;
    over.alt = `Left: ${choice.words}`;
    over.classList.toggle("pixelated", isPixelArt(choice.job));
    for (const thumb of thumbs) thumb.setAttribute("aria-pressed", String(thumb === button));
  };
  choose(choices[0], thumbs[0]);
  const end = h("button.button.quiet", { type: "button", onclick: onEnd }, icon("close"), h("span", {}, "End comparing"));
  return fill(h("div.comparison"), box, h("div.strip", {}, thumbs, end));
}
