/** How far a picture is: a ring, and the curve of its score. */

import { h, svg } from "./dom.js";

const RADIUS = 15;
const AROUND = 2 * Math.PI * RADIUS;

/** A thin ring that closes. */
export class Ring {
  constructor() {
    this.arc = svg("circle", { cx: 18, cy: 18, r: RADIUS, class: "ring-arc", "stroke-dasharray": AROUND, "stroke-dashoffset": AROUND });
    this.words = svg("text", { x: 18, y: 18, class: "ring-words" });
    this.element = h(
      "div.ring",
      { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": "How far the picture is" },
      svg("svg", { viewBox: "0 0 36 36", "aria-hidden": "true" }, svg("circle", { cx: 18, cy: 18, r: RADIUS, class: "ring-rail" }), this.arc, this.words),
    );
  }

  /** @param share 0 to 1, or null while nothing can be said. */
  show(share) {
    this.element.classList.toggle("unknown", share === null);
    this.arc.setAttribute("stroke-dashoffset", String(AROUND * (1 - (share ?? 0.25))));
    this.words.textContent = share === null ? "" : String(Math.round(share * 100));
    if (share === null) this.element.removeAttribute("aria-valuenow");
    else this.element.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  }
}

const WIDTH = 120;
const HEIGHT = 34;
const MOST = 120;

/** The score over the steps. */
export class Curve {
  constructor() {
    this.line = svg("polyline", { class: "curve-line" });
    this.area = svg("polygon", { class: "curve-area" });
    this.dot = svg("circle", { class: "curve-dot", r: 2.2 });
    this.value = h("span.curve-value");
    this.element = h(
      "div.curve",
      { title: "How well the picture fits the words, step by step", hidden: true },
      svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, this.area, this.line, this.dot),
      this.value,
    );
  }

  /** @param points [{step, score}], by step; @param steps of the whole run. */
  show(points, steps) {
    this.element.hidden = points.length < 2;
    if (points.length < 2) return;
    const every = Math.ceil(points.length / MOST);
    const some = points.filter((_, at) => at % every === 0 || at === points.length - 1);
    const scores = some.map((point) => point.score);
    const [low, high] = [Math.min(...scores), Math.max(...scores)];
    const x = (step) => (step / Math.max(steps || 1, some.at(-1).step, 1)) * (WIDTH - 4) + 2;
    const y = (score) => HEIGHT - 3 - ((score - low) / (high - low || 1)) * (HEIGHT - 6);
    const path = some.map((point) => `${x(point.step).toFixed(1)},${y(point.score).toFixed(1)}`);
    this.line.setAttribute("points", path.join(" "));
    this.area.setAttribute("points", [`${x(some[0].step)},${HEIGHT}`, ...path, `${x(some.at(-1).step)},${HEIGHT}`].join(" "));
    const last = some.at(-1);
    this.dot.setAttribute("cx", x(last.step));
    this.dot.setAttribute("cy", y(last.score));
    this.value.textContent = `score ${last.score.toFixed(3)}`;
  }
}
