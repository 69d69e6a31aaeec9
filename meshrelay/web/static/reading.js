// How far a courier file is; without this script the page loads itself again.

import { syncNow } from "./page.js";

const LOOK_MS = 2000;

setInterval(() => {
  if (document.visibilityState !== "hidden" && document.getElementById("read")) syncNow();
}, LOOK_MS);
