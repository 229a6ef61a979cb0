/** What a screen reader says by itself. */

const region = document.getElementById("live");
let last = "";

/** Say something once what is being said has ended. */
export function announce(words) {
  if (words === last) return;
  last = words;
  region.textContent = words;
}
