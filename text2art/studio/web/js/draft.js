/**
 * What the form holds: the settings that were given, by their dotted names, and what is asked of
 * the studio beside the picture (how many, in the gallery or not). Kept over reloads.
 */

const KEPT = "text2art.draft";

export class Draft extends EventTarget {
  constructor(storage = localStorage) {
    super();
    this.storage = storage;
    this.values = {};
    this.asked = {};
    this.defaults = {};
    this.heads = new Set(); // names of settings that hold options of their own
    this.names = new Set();
  }

  /** Learn which settings there are, from the answer of /settings; take up what was kept. */
  learn(schema) {
    for (const field of schema.fields) {
      this.defaults[field.name] = field.default;
      this.names.add(field.name);
      if (field.name.includes(".")) this.heads.add(field.name.split(".")[0]);
    }
    for (const field of schema.options) this.defaults[`ask:${field.name}`] = field.default;
    try {
      const kept = JSON.parse(this.storage.getItem(KEPT) ?? "{}");
      for (const [name, value] of Object.entries(kept.values ?? {})) {
        if (this.names.has(name)) this.values[name] = value;
      }
      this.asked = kept.asked ?? {};
    } catch {
      this.storage.removeItem(KEPT); // not ours to read: begin anew
    }
  }

  get(name) {
    return this.values[name] ?? this.defaults[name] ?? null;
  }

  isGiven(name) {
    return name in this.values;
  }

  /** Give a setting; null, "" and the default take it back. */
  set(name, value, source = null) {
    const before = JSON.stringify(this.values[name]);
    if (isNothing(value) || same(value, this.defaults[name])) delete this.values[name];
    else this.values[name] = value;
    if (before !== JSON.stringify(this.values[name])) this.#changed([name], source);
  }

  getAsked(name) {
    return this.asked[name] ?? this.defaults[`ask:${name}`] ?? null;
  }

  setAsked(name, value) {
    if (isNothing(value) || same(value, this.defaults[`ask:${name}`])) delete this.asked[name];
    else this.asked[name] = value;
    this.#changed([`ask:${name}`], null);
  }

  /** Replace everything by settings as jobs and files hold them. */
  load(settings) {
    this.values = {};
    this.merge(settings);
  }

  /** Take over some settings and leave the others. */
  merge(settings) {
    for (const [name, value] of this.flat(settings)) {
      if (isNothing(value) || same(value, this.defaults[name])) delete this.values[name];
      else this.values[name] = value;
    }
    this.#changed([...this.names], null);
  }

  /** Return settings one by one: `pixel.cells` for `{pixel: {cells: …}}`. */
  flat(settings) {
    const pairs = [];
    for (const [name, value] of Object.entries(settings ?? {})) {
      if (this.heads.has(name) && isMapping(value) && !this.names.has(name)) {
        for (const [option, inner] of Object.entries(value)) pairs.push([`${name}.${option}`, inner]);
      } else if (this.names.has(name)) {
        pairs.push([name, value]);
      }
    }
    return pairs;
  }

  /** Return the given settings as the API takes them. */
  settings() {
    const nested = {};
    for (const [name, value] of Object.entries(this.values)) {
      const [head, option] = name.split(".");
      if (option === undefined) nested[name] = value;
      else (nested[head] ??= {})[option] = value;
    }
    return nested;
  }

  #changed(names, source) {
    this.storage.setItem(KEPT, JSON.stringify({ values: this.values, asked: this.asked }));
    this.dispatchEvent(new CustomEvent("change", { detail: { names: new Set(names), source } }));
  }

  /** Call `listener(names, source)` after changes. */
  onChange(listener) {
    this.addEventListener("change", (event) => listener(event.detail.names, event.detail.source));
  }
}

const isMapping = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isNothing = (value) =>
  value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Return a setting's value as people type it. */
export function asText(value, kind) {
  if (value === null || value === undefined) return "";
  if (kind === "size" && Array.isArray(value)) return value.join("x");
  if (kind === "texts" && Array.isArray(value)) return value.join(" | ");
  if (Array.isArray(value)) return value.join(",");
  if (isMapping(value)) return Object.entries(value).map(([name, weight]) => `${name}:${weight}`).join(",");
  return String(value);
}

export const draft = new Draft();
