/** Mails and webhooks that were given up: the administrator looks at them, and sends them again. */

import { announce } from "./announce.js";
import { api } from "./api.js";
import { fill, h } from "./dom.js";
import { ago, counted } from "./format.js";
import { icon } from "./icons.js";
import { complain, dialog } from "./overlay.js";

/** Make the button that says how many there are; it shows itself while there are any. */
export function lettersButton() {
  const words = h("span");
  const button = h("button.button.quiet", { type: "button", hidden: true, onclick: () => open() }, icon("warning"), words);
  const show = (letters) => {
    button.hidden = !letters.length;
    fill(words, `${counted(letters.length, "message")} not delivered`);
  };
  const load = async () => {
    const { letters } = await api.letters();
    show(letters);
    return letters;
  };
  const open = async () => {
    try {
      const rows = h("ul.letters");
      const list = (letters) => fill(rows, letters.length ? letters.map((one) => letter(one, again)) : h("li.quiet", {}, "Everything has been sent, or is tried again."));
      const again = async (one) => {
        await api.sendLetter(one.id).catch((error) => error.status !== 404 && complain(error)); // 404: somebody else did
        announce("It is tried again.");
        list(await load());
        rows.querySelector("button")?.focus();
      };
      list(await load());
      dialog("Not delivered", [h("p.quiet", {}, "These were tried for more than a day. Mend the reason, then send them again."), rows], { className: "wide" });
    } catch (error) {
      complain(error);
    }
  };
  return { element: button, load: () => load().catch(() => {}) };
}

function letter(one, again) {
  const what = one.kind === "webhook" ? `Webhook to ${one.place || "an address"}` : "Mail";
  const when = `${ago(one.created)}, ${counted(one.attempts, "attempt")}`;
  return h(
    "li.letter",
    {},
    h("div", {}, h("p", {}, h("strong", {}, what), " ", h("small", {}, when)), h("p.letter-reason", {}, one.reason || "No reason was given.")),
    h("button.button.quiet", { type: "button", "aria-label": `Send again: ${what}`, onclick: () => again(one) }, icon("again"), h("span", {}, "Send again")),
  );
}
