/** The prompt: what is typed, and what the studio says about its words. */

import { announce } from "./announce.js";
import { api } from "./api.js";
import { asText, draft } from "./draft.js";
import { debounced, fill, h } from "./dom.js";
import { counted } from "./format.js";
import { icon } from "./icons.js";

const MOST_NOTICES = 4;

/** Make the prompt's part of the form. */
export function promptBox() {
  const area = h("textarea.prompt", {
    id: "prompt",
    rows: "2",
    maxlength: "8000",
    spellcheck: "false",
    placeholder: "a sailboat on the sea",
    "aria-describedby": "prompt-notes",
    autocomplete: "off",
  });
  const notes = h("div.notes", { id: "prompt-notes" });
  const check = debounced(500, () => read(area.value, notes));

  const take = () => {
    area.value = asText(draft.get("prompts"), "texts");
    fit(area);
  };
  area.addEventListener("input", () => {
    draft.set("prompts", area.value, area);
    fit(area);
    area.removeAttribute("aria-invalid");
    check();
  });
  area.addEventListener("keydown", (event) => {
    // A line break means nothing in a prompt.
    const plain = !event.ctrlKey && !event.metaKey && !event.isComposing;
    if (event.key === "Enter" && plain) event.preventDefault();
  });
  draft.onChange((names, source) => {
    if (!names.has("prompts") || source === area) return;
    take();
    check();
  });
  take();
  if (area.value) check();
  addEventListener("resize", () => fit(area));
  requestAnimationFrame(() => fit(area));
  return h("div.prompt-box", {}, h("label.visually-hidden", { for: "prompt" }, "What shall be drawn?"), area, notes);
}

/** Show what is wrong with a prompt, with a caret under the place. */
export function promptError(error) {
  const area = document.getElementById("prompt");
  area.setAttribute("aria-invalid", "true");
  fill(document.getElementById("prompt-notes"), problem(error));
  area.focus();
}

/** Return an error of the studio as an element, with its source and a mark where it is wrong. */
export function problem(error) {
  const box = h("div.problem", { role: "alert" }, icon("warning"), h("div", {}, h("p", {}, error.message), error.hint ? h("p.quiet", {}, error.hint) : null));
  const pointer = error.pointer;
  if (pointer && typeof pointer.source === "string") {
    const at = Math.max(0, Math.min(Number(pointer.at) || 0, pointer.source.length));
    const from = Math.max(0, at - 30);
    box.lastElementChild.append(
      h("pre.caret", {}, `${pointer.source.slice(from, at + 30)}\n${" ".repeat(at - from)}^`),
    );
  }
  return box;
}

function fit(area) {
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, innerHeight * 0.5)}px`;
}

let running = null;

async function read(text, notes) {
  running?.abort();
  if (!text.trim()) {
    fill(notes);
    return;
  }
  running = new AbortController();
  try {
    const answer = await api.readPrompt(text, running.signal);
    fill(notes, told(answer));
    document.getElementById("prompt").removeAttribute("aria-invalid");
  } catch (error) {
    // Half-typed prompts are often wrong: that is said, but nothing is taken away.
    if (error.status === 422) fill(notes, problem(error));
    else if (error.name !== "AbortError") fill(notes);
  }
}

function told(answer) {
  const parts = answer.scenes.flat();
  const notices = [...new Set(parts.flatMap((part) => part.notices ?? []))];
  const rows = notices.slice(0, MOST_NOTICES).map((text) => h("p.note", {}, icon("warning"), h("span", {}, text)));
  if (notices.length) announce(notices[0]);
  const more = [];
  if (answer.scenes.length > 1) more.push(`${answer.scenes.length} scenes, one after the other`);
  if (answer.combinations > 1) more.push(`${counted(answer.combinations, "combination")}: each picture draws one`);
  if (parts.length > answer.scenes.length) more.push(parts.map(weighed).join("  ·  "));
  return [...rows, ...more.map((text) => h("p.note.plain", {}, text))];
}

const weighed = (part) => `${part.text} × ${part.weight}`;
