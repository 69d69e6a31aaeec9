// What every page does by itself: Esc closes what is open, paper bears the time of its printing.

import { nowMs } from "./net.js";

const JST_MS = 9 * 3600 * 1000;

window.addEventListener("keydown", ({ key }) => {
  const open = document.querySelector("details[open]:focus-within");
  if (key !== "Escape" || !open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

window.addEventListener("beforeprint", () => {
  const city = new Date(nowMs() + JST_MS).toISOString();
  document.querySelector(".print-only time").textContent = city.slice(0, 16).replace("T", " ");
});
