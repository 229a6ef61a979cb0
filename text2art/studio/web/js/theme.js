/** Light, dark, or as the system has it. Runs before the page is drawn, so nothing flashes. */

(() => {
  const kept = localStorage.getItem("text2art.theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
