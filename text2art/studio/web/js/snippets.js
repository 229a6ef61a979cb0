/** The form's values as commands that draw the same: curl, Python, the command line. */

import { asText } from "./draft.js";

const SAFE = /^[\w@%+=:,./-]+$/;

/** Quote a word for a POSIX shell. */
export function shell(word) {
  const text = String(word);
  return SAFE.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/** Write a value as Python does. */
export function python(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, inner]) => `${python(name)}: ${python(inner)}`).join(", ")}}`;
  }
  return JSON.stringify(value); // numbers and strings are written alike in both
}

const prompt = (settings) => asText(settings.prompts, "texts");

/** Return the request of the API as a curl command. */
export function curl(settings, origin, local) {
  const who = local ? "X-Text2Art: 1" : "Authorization: Bearer $TEXT2ART_KEY";
  return [
    `curl ${shell(`${origin}/api/v1/jobs`)}`,
    `-H ${local ? shell(who) : `"${who}"`}`,
    "-H 'Content-Type: application/json'",
    `-d ${shell(JSON.stringify(settings))}`,
  ].join(" \\\n  ");
}

/** Return a Python program. */
export function program(settings) {
  const given = Object.entries(settings).filter(([name]) => name !== "prompts");
  const lines = given.map(([name, value]) => `    ${name}=${python(value)},`);
  const call = ["result = text2art.draw(", `    ${python(prompt(settings))},`, ...lines, ")"];
  return ["import text2art", "", ...call, 'result.save("picture.png")'].join("\n");
}

/** Return a command for the terminal. */
export function command(settings, kinds) {
  const words = ["text2art draw", shell(prompt(settings))];
  for (const [name, value] of Object.entries(settings)) {
    if (name === "prompts") continue;
    if (value !== null && typeof value === "object" && !Array.isArray(value) && !kinds.has(name)) {
      for (const [option, inner] of Object.entries(value)) words.push(flag(`${name}.${option}`, inner, kinds));
    } else {
      words.push(flag(name, value, kinds));
    }
  }
  const [first, ...flags] = [`${words[0]} ${words[1]}`, ...words.slice(2)];
  return [first, ...flags].join(" \\\n  ");
}

function flag(name, value, kinds) {
  const written = name.replaceAll("_", "-");
  if (kinds.get(name) === "switch") return value ? `--${written}` : `--no-${written}`;
  const text = asText(value, kinds.get(name));
  // What begins with a dash would be read as a flag.
  return text.startsWith("-") ? shell(`--${written}=${text}`) : `--${written} ${shell(text)}`;
}

/** Return settings as YAML that `text2art draw --settings` reads: JSON, line by line, is YAML. */
export const settingsFile = (settings) => `${JSON.stringify(settings, null, 2)}\n`;
