/** Line icons on a grid of 20, drawn in the color of the words beside them. */

import { svg } from "./dom.js";

const PATHS = {
  brush: "M17 3c-4 1-8 5-9 8l1 1c3-1 7-5 8-9zM8 12c-2 0-3 1-3 3 0 1-1 2-2 2 3 1 6 0 6-3z",
  grid: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 11h6v6h-6z",
  queue: "M3 5h14M3 10h14M3 15h8",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M10 14.5v.1M10 2.5a7.500 7.500 0 1 0 0 15 7.500 7.500 0 1 0 0-15z",
  sun: "M10 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 1 0 0-7zM10 1.500v2M10 16.500v2M1.500 10h2M16.500 10h2M4 4l1.400 1.400M14.600 14.600 16 16M16 4l-1.400 1.400M5.400 14.600 4 16",
  moon: "M16.500 12A7 7 0 0 1 8 3.500a7 7 0 1 0 8.500 8.500z",
  close: "M5 5l10 10M15 5 5 15",
  heart: "M10 16.500C4 12.500 2.500 9.500 2.500 7.200A3.700 3.700 0 0 1 10 5.600a3.700 3.700 0 0 1 7.500 1.600c0 2.300-1.500 5.300-7.500 9.300z",
  download: "M10 3v9M6 8.500l4 4 4-4M3.500 16.500h13",
  more: "M4 10h.8M9.600 10h.8M15.200 10h.8",
  dice: "M4 4h12v12H4zM7.500 7.500v.1M12.500 12.500v.1M10 10v.1M12.500 7.500v.1M7.500 12.500v.1",
  left: "M12.500 4 6.500 10l6 6",
  right: "M7.500 4l6 6-6 6",
  down: "M4 7.500l6 6 6-6",
  play: "M6 4l10 6-10 6z",
  pause: "M6.500 4v12M13.500 4v12",
  stop: "M5.500 5.500h9v9h-9z",
  copy: "M7 7h9v10H7zM13 7V3H4v10h3",
  link: "M8.500 11.500l3-3M7 9l-2.500 2.500a2.800 2.800 0 0 0 4 4L11 13M13 11l2.500-2.500a2.800 2.800 0 0 0-4-4L9 7",
  again: "M16 10a6 6 0 1 1-1.800-4.300M16 3v3.500h-3.500",
  vary: "M2.500 6H6l7.500 8H17M2.500 14H6l2-2.200M11.500 8.200l2-2.200H17M14.500 3.500 17 6l-2.500 2.500M14.500 11.500 17 14l-2.500 2.500",
  forward: "M4 10h9M9.500 5.500 14 10l-4.500 4.500M17 4v12",
  trash: "M4 5.500h12M8 5.500V3.500h4v2M5.500 5.500l.8 11h7.400l.8-11",
  plus: "M10 4v12M4 10h12",
  minus: "M4 10h12",
  search: "M8.500 3a5.500 5.500 0 1 0 0 11 5.500 5.500 0 1 0 0-11zM13 13l4 4",
  image: "M3 4h14v12H3zM3 13l4-4 4 4 2-2 4 4M13 7.500v.1",
  compare: "M10 2.500v15M3 5h4.500M3 15h4.500V5H3zM12.500 5H17v10h-4.500",
  sliders: "M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4",
  check: "M4 10.500l4 4 8-9",
  warning: "M10 3 2.500 16.500h15zM10 8.500v4M10 14.500v.1",
  bell: "M5 14V9a5 5 0 0 1 10 0v5l1.500 1.500h-13zM8.500 17.500h3",
  code: "M7 5.500 2.500 10 7 14.500M13 5.500l4.500 4.500-4.500 4.500",
};

/** Return an icon; what it means is said in words beside it or on its button. */
export function icon(name, filled = false) {
  return svg(
    "svg",
    { viewBox: "0 0 20 20", class: filled ? "icon filled" : "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: PATHS[name] }),
  );
}
