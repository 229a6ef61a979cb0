/** What lies over the page: dialogs, menus and short messages. */

import { fill, freshId, h } from "./dom.js";
import { icon } from "./icons.js";

/**
 * Show a dialog; it is gone from the page once it closes.
 * @returns its element; `closed` resolves with what it was closed with.
 */
export function dialog(title, content, { actions = [], className = "" } = {}) {
  const heading = freshId("title");
  const box = h(
    "dialog.sheet",
    { "aria-labelledby": heading },
    h(
      "header.sheet-head",
      {},
      h("h2", { id: heading, tabindex: "-1" }, title),
      h("button.icon-button", { type: "button", "aria-label": "Close", onclick: () => box.close("") }, icon("close")),
    ),
    h("div.sheet-body", {}, content),
    actions.length ? h("footer.sheet-foot", {}, actions) : null,
  );
  if (className) box.classList.add(className);
  box.addEventListener("click", (event) => event.target === box && box.close(""));
  box.closed = new Promise((resolve) => {
    box.addEventListener("close", () => {
      box.remove();
      resolve(box.returnValue);
    });
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Ask before something that cannot be taken back; resolves with whether to do it. */
export async function confirm(title, words, yes, no = "Go back") {
  const box = dialog(title, h("p", {}, words), {
    className: "small",
    actions: [
      h("button.button", { type: "button", onclick: () => box.close("") }, no),
      h("button.button.primary", { type: "button", autofocus: true, onclick: () => box.close("yes") }, yes),
    ],
  });
  return (await box.closed) === "yes";
}

/**
 * Make a button that opens a menu.
 * @param items a function that returns [{icon, text, note, run | href, download}], asked at each opening.
 */
export function menuButton(button, items) {
  set(button, "aria-haspopup", "menu");
  set(button, "aria-expanded", "false");
  button.addEventListener("click", () => openMenu(button, items()));
  return button;
}

const set = (element, name, value) => element.setAttribute(name, value);

/** Open a menu below a button. */
export function openMenu(button, items) {
  const menu = h("div.menu", { role: "menu", popover: "auto", "aria-label": button.getAttribute("aria-label") || button.textContent });
  const rows = items.map((item) => menuItem(item, menu));
  fill(menu, rows);
  // Inside a modal dialog all else is inert: a menu must be part of it.
  (button.closest("dialog") ?? document.body).append(menu);
  set(button, "aria-expanded", "true");
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    set(button, "aria-expanded", "false");
    if (menu.contains(document.activeElement) || document.activeElement === document.body) button.focus();
    menu.remove();
  });
  menu.addEventListener("keydown", (event) => moveInMenu(event, rows, menu));
  menu.showPopover();
  place(menu, button);
  rows[0]?.focus();
}

function menuItem({ icon: name, text, note, run, href, download }, menu) {
  const tag = href ? "a.menu-item" : "button.menu-item";
  const properties = href ? { href, download: download ?? false } : { type: "button" };
  return h(
    tag,
    {
      ...properties,
      role: "menuitem",
      tabindex: "-1",
      onclick: () => {
        menu.hidePopover();
        run?.();
      },
    },
    name ? icon(name) : null,
    h("span", {}, text),
    note ? h("small", {}, note) : null,
  );
}

function moveInMenu(event, rows, menu) {
  const at = rows.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  rows.at(to % rows.length)?.focus();
}

/** Put a popover below its anchor, or above where there is more room, within the window. */
export function place(popover, anchor) {
  const from = anchor.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const below = innerHeight - from.bottom > height + 12 || from.top < height + 12;
  const left = Math.max(8, Math.min(from.left, innerWidth - width - 8));
  const top = below ? from.bottom + 6 : from.top - height - 6;
  popover.style.left = `${left}px`;
  popover.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
}

const SHOWN = 6000;

/** Say something short at the lower edge, with one thing to do about it. */
export function toast(words, { action, run, kind = "" } = {}) {
  const box = h(`div.toast${kind ? `.${kind}` : ""}`, {}, h("span", {}, words));
  const gone = () => box.remove();
  let timer = setTimeout(gone, action ? SHOWN * 2 : SHOWN);
  if (action) {
    const act = () => {
      gone();
      run();
    };
    box.append(h("button.link", { type: "button", onclick: act }, action));
  }
  box.append(h("button.icon-button", { type: "button", "aria-label": "Dismiss", onclick: gone }, icon("close")));
  // Who reads or is about to press needs the time.
  box.addEventListener("focusin", () => clearTimeout(timer));
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => (timer = setTimeout(gone, SHOWN)));
  const place = document.querySelector("dialog[open].lightbox") ?? document.body;
  let stack = place.querySelector(":scope > .toasts");
  if (!stack) place.append((stack = h("div.toasts", { role: "status" })));
  stack.append(box);
  while (stack.children.length > 3) stack.firstElementChild.remove();
}

/** Say what went wrong, as the studio put it. */
export function complain(error) {
  if (error.name === "AbortError") return;
  const words = error.status || error.hint !== undefined ? [error.message, error.hint].filter(Boolean).join(" ") : "Something went wrong on this page. Reload it, please.";
  if (!error.status && error.hint === undefined) console.error(error);
  toast(words, { kind: "bad" });
}
