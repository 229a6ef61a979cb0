/** Files that come from outside: to start from, to use in a setting, or to restore settings. */

import { api } from "./api.js";
import { draft } from "./draft.js";
import { $, fill, h } from "./dom.js";
import { bytes } from "./format.js";
import { icon } from "./icons.js";
import { complain, dialog, toast } from "./overlay.js";

let most = Infinity;

/** Let files be dropped anywhere, and pasted. */
export function takeFiles(caps) {
  most = caps.upload_bytes ?? most;
  const veil = $("#veil");
  let depth = 0;
  const has = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (has(event)) veil.hidden = (depth += 1) === 0;
  });
  addEventListener("dragleave", (event) => {
    if (has(event)) veil.hidden = (depth = Math.max(0, depth - 1)) === 0;
  });
  addEventListener("dragover", (event) => has(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!has(event)) return;
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    if (event.dataTransfer.files[0]) consider(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file) return;
    event.preventDefault();
    consider(file);
  });
}

/** Find out what a file is good for, and ask where there is a choice. */
export async function consider(file) {
  if (file.size > most) {
    toast(`${file.name} is larger than ${bytes(most)}, the most that this studio takes.`, { kind: "bad" });
    return;
  }
  try {
    const found = await api.recall(file);
    offer(file, found);
  } catch (error) {
    if (error.status === 422 && isPicture(file)) startFrom(file);
    else complain(error);
  }
}

const isPicture = (file) => /^image\//.test(file.type);

function offer(file, { settings, ignored, version: drawn }) {
  const take = (names) => {
    box.close("");
    if (names) draft.merge(Object.fromEntries(Object.entries(settings).filter(([name]) => names.includes(name))));
    else draft.load(settings);
    toast(names ? "Restored from the file." : "The file's settings are in the form.");
    $("#prompt").focus();
  };
  const button = (name, words, run, kind = "") => h(`button.button${kind}`, { type: "button", onclick: run }, icon(name), h("span", {}, words));
  const preview = isPicture(file) ? h("img.recall-picture", { src: URL.createObjectURL(file), alt: "" }) : null;
  const prompt = settings.prompts ? h("blockquote", {}, [settings.prompts].flat().join(" | ")) : null;
  const lost = ignored?.length
    ? h("details.quiet", {}, h("summary", {}, `${ignored.length} of its settings cannot be used here`), h("ul", {}, ignored.map(({ name, reason }) => h("li", {}, `${name}: ${reason}`))))
    : null;
  const version = drawn ? h("p.quiet", {}, `Drawn with text2art ${drawn}`) : null;
  const box = dialog("This file remembers how it was drawn", [preview, prompt, version, lost], {
    className: "recall",
    actions: [
      button("again", "Restore all settings", () => take(null), ".primary"),
      settings.prompts ? button("brush", "Prompt only", () => take(["prompts"])) : null,
      settings.seed !== undefined ? button("dice", "Seed only", () => take(["seed"])) : null,
      isPicture(file) ? button("image", "Start from this picture", () => (box.close(""), startFrom(file))) : null,
    ].filter(Boolean),
  });
  if (preview) box.closed.then(() => URL.revokeObjectURL(preview.src));
}

/** Upload a picture and begin with it. */
export async function startFrom(file) {
  const key = await upload(file);
  if (!key) return;
  draft.set("init_image", key);
  toast("The next picture starts from this one.");
}

/** Upload a file; return its key, or null after having said why not. */
export async function upload(file) {
  if (file.size > most) {
    toast(`${file.name} is larger than ${bytes(most)}, the most that this studio takes.`, { kind: "bad" });
    return null;
  }
  try {
    return (await api.upload(file)).key;
  } catch (error) {
    complain(error);
    return null;
  }
}

/** Return where a setting's picture can be seen, or null where only the studio can. */
export function pictureUrl(value) {
  const text = String(value);
  if (/^uploads\/[0-9a-f]{64}\.png$/.test(text)) return `/api/v1/${text}`;
  const drawn = /^jobs\/([0-9a-z]+)\/(\d+)\/result\.png$/.exec(text);
  return drawn ? `/api/v1/jobs/${drawn[1]}/result.png?v=${drawn[2]}` : null;
}

/** Make the box of the init image. */
export function initImage() {
  const chooser = h("input.visually-hidden", {
    type: "file",
    accept: "image/png,image/jpeg,image/webp,image/gif,image/svg+xml",
    "aria-label": "Picture to start from",
    tabindex: "-1",
    onchange: () => {
      if (chooser.files[0]) startFrom(chooser.files[0]);
      chooser.value = "";
    },
  });
  const box = h("div.init");
  const show = () => {
    const value = draft.get("init_image");
    const url = value && pictureUrl(value);
    fill(
      box,
      url ? h("img", { src: url, alt: "The picture to start from" }) : null,
      value && !url ? h("span.init-words", {}, String(value)) : null,
      h("button.button.quiet", { type: "button", onclick: () => chooser.click() }, icon("image"), value ? "Another picture" : "Start from a picture"),
      value ? h("button.link", { type: "button", onclick: () => draft.set("init_image", "") }, "Remove") : h("span.quiet", {}, "or drop one anywhere"),
      chooser,
    );
  };
  draft.onChange((names) => names.has("init_image") && show());
  show();
  return h("fieldset.choice", {}, h("legend", {}, "Beginning"), box);
}
