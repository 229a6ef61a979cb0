/** One setting of the generated form: its control, help, limits and way back to the default. */

import { asText, draft } from "./draft.js";
import { fill, freshId, h } from "./dom.js";
import { upload } from "./files.js";
import { titled } from "./format.js";
import { icon } from "./icons.js";

const HINTS = {
  texts: "several with | between",
  size: "as 320x200",
  numbers: "numbers with commas between",
  weights: "as name:0.5, with commas between",
};
const SLIDER = 200; // limits further apart are typed rather than pulled

/** Where a setting's value comes from and goes to. */
const ofDraft = (name) => ({
  get: () => draft.get(name),
  isGiven: () => draft.isGiven(name),
  set: (value, source) => draft.set(name, value, source),
  key: name,
});
const ofAsked = (name) => ({
  get: () => draft.getAsked(name),
  isGiven: () => name in draft.asked,
  set: (value) => draft.setAsked(name, value),
  key: `ask:${name}`,
});

/** Make a row of the form for a row of /settings. */
export function fieldRow(field, asked = false) {
  const id = freshId("field");
  const value = asked ? ofAsked(field.name) : ofDraft(field.name);
  const control = (CONTROLS[field.kind] ?? textControl)(field, value, id);
  const back = h("button.icon-button.back", { type: "button", "aria-label": `${titled(field.name)}: back to the default`, title: "Back to the default", onclick: () => (value.set(null), control.focusable.focus()) }, icon("again"));
  const trouble = h("p.field-error", { hidden: true, id: `${id}-error` });
  const limits = bounds(field);
  const row = h(
    "div.field",
    { dataset: { field: field.name, kind: field.kind } },
    h("div.field-head", {}, h("label", { for: id }, titled(field.name)), back),
    control.element,
    h("p.help", { id: `${id}-help` }, field.help, limits ? ` (${limits})` : "", HINTS[field.kind] ? ` – ${HINTS[field.kind]}` : ""),
    trouble,
  );
  control.focusable.setAttribute("aria-describedby", `${id}-help`);
  const show = (source) => {
    back.hidden = !value.isGiven();
    row.classList.toggle("given", value.isGiven());
    if (source !== control.focusable) control.show(value.get());
    trouble.hidden = true;
    control.focusable.removeAttribute("aria-invalid");
  };
  draft.onChange((names, source) => names.has(value.key) && show(source));
  show(null);
  row.complain = (error) => {
    fill(trouble, [error.message, error.hint].filter(Boolean).join(" "));
    trouble.hidden = false;
    control.focusable.setAttribute("aria-invalid", "true");
    control.focusable.setAttribute("aria-describedby", `${id}-help ${id}-error`);
    for (let around = row.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
    control.focusable.focus();
  };
  return row;
}

/** Return a setting's limits in words. */
export function bounds({ minimum, maximum, above }) {
  const has = (limit) => limit !== null && limit !== undefined;
  if (has(minimum) && has(maximum)) return `${above ? "above " : ""}${minimum} to ${maximum}`;
  if (has(minimum)) return above ? `above ${minimum}` : `${minimum} or more`;
  return has(maximum) ? `up to ${maximum}` : "";
}

const CONTROLS = { switch: switchControl, choice: choiceControl, integer: numberControl, number: numberControl };

function switchControl(field, value, id) {
  const input = h("input.switch", { type: "checkbox", role: "switch", id, onchange: () => value.set(input.checked) });
  return { element: input, focusable: input, show: (on) => (input.checked = Boolean(on)) };
}

function choiceControl(field, value, id) {
  const select = h(
    "select.input",
    { id, onchange: () => value.set(select.value) },
    field.choices.map((choice) => h("option", { value: choice }, choice)),
  );
  return { element: select, focusable: select, show: (chosen) => (select.value = chosen ?? "") };
}

function numberControl(field, value, id) {
  const whole = field.kind === "integer";
  const { minimum: low, maximum: high } = field;
  const set = (text) => value.set(text === "" ? null : Number(text), input);
  const input = h("input.input.number", {
    id,
    type: "number",
    inputmode: whole ? "numeric" : "decimal",
    min: low,
    max: high,
    step: whole ? 1 : "any",
    placeholder: field.default === null ? "by itself" : String(field.default),
    oninput: () => {
      if (input.value !== "" || !input.validity.badInput) set(input.value);
      if (slider) slider.value = input.value;
    },
  });
  const pulled = low !== null && low !== undefined && high !== null && high !== undefined && high - low <= SLIDER && field.default !== null;
  const slider = pulled
    ? h("input.slider", {
        type: "range",
        min: low,
        max: high,
        step: whole ? 1 : (high - low) / 100,
        "aria-label": titled(field.name),
        oninput: () => {
          const text = whole ? slider.value : String(Number(Number(slider.value).toPrecision(3)));
          input.value = text;
          set(text);
        },
      })
    : null;
  const show = (number) => {
    input.value = value.isGiven() ? number : "";
    if (slider) slider.value = number ?? low;
  };
  return { element: h("div.row", {}, slider, input), focusable: input, show };
}

function textControl(field, value, id) {
  const input = h("input.input", {
    id,
    type: field.name === "email" ? "email" : "text",
    maxlength: "4000",
    spellcheck: "false",
    autocomplete: field.name === "email" ? "email" : "off",
    placeholder: asText(field.default, field.kind) || (field.default === null ? "by itself" : ""),
    oninput: () => value.set(input.value.trim(), input),
  });
  const show = (given) => (input.value = value.isGiven() ? asText(given, field.kind) : "");
  return { element: h("div.row", {}, input, field.upload ? uploader(field, value) : null), focusable: input, show };
}

function uploader(field, value) {
  const chooser = h("input.visually-hidden", {
    type: "file",
    tabindex: "-1",
    "aria-label": `File for ${titled(field.name)}`,
    onchange: async () => {
      const key = chooser.files[0] && (await upload(chooser.files[0]));
      chooser.value = "";
      if (!key) return;
      const before = field.kind === "texts" ? asText(value.get(), "texts") : "";
      value.set(before ? `${before} | ${key}` : key);
    },
  });
  const name = `Upload a file for ${titled(field.name)}`;
  return h("span", {}, h("button.icon-button.framed", { type: "button", "aria-label": name, title: name, onclick: () => chooser.click() }, icon("image")), chooser);
}
