/** Numbers, times and lengths of time as people say them. */

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** Return "about 40 s", "about 3 min", "about 2 h". */
export function about(seconds) {
  if (seconds < 5) return "a few seconds";
  if (seconds < 90) return `about ${Math.round(seconds / 5) * 5} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${Math.round(seconds / 3600)} h`;
}

/** Return "42 s", "3 min 5 s", "2 h 10 min". */
export function lasting(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Return how long ago a moment in seconds was: "3 minutes ago". */
export function ago(moment) {
  const seconds = moment - Date.now() / 1000;
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return "just now";
}

const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const ordinals = new Intl.PluralRules("en", { type: "ordinal" });

/** Return "1st", "2nd", "11th". */
export const nth = (number) => `${number}${ENDINGS[ordinals.select(number)]}`;

/** Return "1 picture", "2 pictures". */
export const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export const percent = (share) => `${Math.round(100 * share)} %`;

/** Return a number of bytes as "20 MB". */
export const bytes = (number) => (number < 1e6 ? `${Math.round(number / 1e3)} kB` : `${Math.round(number / 1e6)} MB`);

/** Return a name as a heading: "init_weight" becomes "Init weight". */
export function titled(name) {
  const words = name.split(".").pop().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Return a file size, prompt or the like, cut to some characters. */
export const clipped = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
