/** A picture that changes: each new one fades in over the one before, once it is decoded. */

import { h, still } from "./dom.js";

const FADE = 450; // milliseconds; as long as in stage.css

export class Picture {
  constructor() {
    this.glow = h("canvas.glow", { width: "12", height: "12", "aria-hidden": "true" });
    this.frame = h("div.picture");
    this.element = h("div.easel", {}, this.glow, this.frame);
    this.url = "";
    this.wanted = "";
    this.busy = false;
    this.era = 0; // of what was cleared away, nothing that is still being decoded may come
  }

  /** Show a picture; while one is being decoded only the latest wish is kept. */
  async show(url, { alt, pixelated = false, ratio = 1, fade = true }) {
    this.element.style.setProperty("--ratio", String(ratio));
    this.alt = alt;
    this.pixelated = pixelated;
    this.wanted = url;
    this.#describe(this.frame.lastElementChild);
    if (this.busy || url === this.url) return;
    this.busy = true;
    while (this.wanted && this.wanted !== this.url) {
      const next = this.wanted;
      const { era } = this;
      const image = h("img", { src: next, draggable: "false" });
      const decoded = await image.decode().then(() => true, () => false);
      if (era !== this.era) continue;
      if (next !== this.wanted && !decoded) continue;
      if (!decoded) {
        this.wanted = "";
        break;
      }
      this.url = next;
      this.#place(image, fade && !still());
    }
    this.busy = false;
  }

  #describe(image) {
    if (!(image instanceof HTMLImageElement)) return;
    image.alt = this.alt;
    this.frame.classList.toggle("pixelated", this.pixelated);
  }

  #place(image, fade) {
    const old = [...this.frame.children];
    for (const below of old) below.setAttribute("alt", "");
    image.classList.toggle("coming", fade && old.length > 0);
    this.frame.append(image);
    this.#describe(image);
    this.#shine(image);
    const clear = () => old.forEach((below) => below.remove());
    if (!fade) clear();
    else setTimeout(clear, FADE);
  }

  /** Light the wall with the picture's colors: a dozen pixels, drawn large and soft. */
  #shine(image) {
    const context = this.glow.getContext("2d");
    context.clearRect(0, 0, 12, 12);
    context.globalAlpha = 0.9;
    context.drawImage(image, 1, 1, 10, 10);
  }

  clear() {
    this.era += 1;
    this.url = this.wanted = "";
    this.frame.replaceChildren();
    this.glow.getContext("2d").clearRect(0, 0, 12, 12);
  }

  /** Put something else in the frame: words while there is no picture, a film. */
  hold(element, ratio = 1) {
    this.era += 1;
    this.url = this.wanted = "";
    this.element.style.setProperty("--ratio", String(ratio));
    this.frame.classList.remove("pixelated");
    this.frame.replaceChildren(element);
  }
}

/** Return width to height of a job's picture, as far as it is known. */
export function ratioOf(job) {
  const { width, height } = job.result ?? job;
  if (width && height) return width / height;
  const settings = job.settings ?? {};
  const size = Array.isArray(settings.size) ? settings.size : String(settings.size ?? "").split("x").map(Number);
  if (size[0] > 0 && size[1] > 0) return size[0] / size[1];
  const aspect = String(settings.aspect ?? "square");
  const named = { square: 1, portrait: 9 / 16, widescreen: 16 / 9 }[aspect];
  const [wide, high] = aspect.split(":").map(Number);
  return named ?? (wide > 0 && high > 0 ? wide / high : 1);
}

/** Whether a picture's cells should stay crisp when it is shown larger. */
export const isPixelArt = (job) => job.drawer === "pixel";

/** Return the pictures of a job's making, the result last. */
export function making(job) {
  const frames = job.frames ?? [];
  const result = job.result?.files?.png;
  if (!result) return frames;
  const step = job.result.steps ?? job.step ?? frames.at(-1)?.step ?? 0;
  return [...frames.filter((frame) => frame.step < step), { step, url: result, last: true }];
}

/** Return what a picture shows, for those who do not see it. */
export const altOf = (job, step) =>
  step === undefined ? `“${job.prompt}”` : `“${job.prompt}”, as it was at step ${step}`;
