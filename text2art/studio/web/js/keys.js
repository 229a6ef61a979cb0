/** The keyboard: what it does, and the sheet that says so. */

import { h, isTyping } from "./dom.js";
import { dialog } from "./overlay.js";

const SINGLE = "text2art.single-keys";
const MOD = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";

const ROWS = [
  [[MOD, "Enter"], "Draw"],
  [["Esc"], "Stop the picture that is being drawn, after a question"],
  [["←", "→", "↑", "↓"], "From picture to picture in the gallery; the one before, the next in the large view"],
  [["?"], "This sheet"],
  [["/"], "To the prompt"],
  [["G"], "Gallery"],
  [["Q"], "Queue"],
];

const singleKeys = () => localStorage.getItem(SINGLE) !== "off";

/** @param on {draw, cancel, prompt, gallery, queue}: what keys do. */
export function listen(on) {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const open = document.querySelector("dialog[open], [popover]:popover-open");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (open && !open.matches("[popover]")) return;
      event.preventDefault();
      on.draw();
    } else if (event.key === "Escape" && !open) {
      event.preventDefault();
      setTimeout(on.cancel); // this very key would close what it opens
    } else if (!open && !isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey && singleKeys()) {
      const run = { "?": help, "/": on.prompt, g: on.gallery, q: on.queue }[event.key];
      if (!run) return;
      event.preventDefault();
      run();
    }
  });
}

/** Show what the keys do. */
export function help() {
  const rows = ROWS.map(([keys, words]) => h("div.key-row", {}, h("dt", {}, keys.map((key) => h("kbd", {}, key))), h("dd", {}, words)));
  const single = h("input.switch", { type: "checkbox", role: "switch", id: "single-keys", checked: singleKeys(), onchange: () => localStorage.setItem(SINGLE, single.checked ? "on" : "off") });
  dialog("Keys", [
    h("dl.keys", {}, rows),
    h("label.public", { for: "single-keys" }, single, h("span", {}, "Single keys, outside of text boxes")),
    h("p.quiet", {}, "Drop a picture anywhere to start from it, or one that text2art drew to get its settings back. ", h("a", { href: "/docs" }, "The API"), " does all that this page does."),
  ]);
}
