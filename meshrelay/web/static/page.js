// Home, rooms and who-has-read: the server draws, this swaps in what changed.

import { Unreachable, data, reach, say, setContact } from "./net.js";
import { Outbox } from "./outbox.js";
import { keepBanner } from "./banner.js";
import { keepLive } from "./live.js";

// A burst of news redraws once a second.
const PAUSE_MS = 1000;
// Ages in words grow without news.
const REFRESH_MS = 30000;

let drawBanner = () => {};
const outbox = new Outbox(() => drawBanner(), () => {});
drawBanner = keepBanner(outbox, true);

function swap(fresh) {
  document.querySelectorAll("[data-live]").forEach((old) => {
    const next = fresh.getElementById(old.id);
    if (!next || next.outerHTML === old.outerHTML) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const placed = document.importNode(next, true);
    old.replaceWith(placed);
    const again = focused && Array.from(placed.querySelectorAll("a")).find((a) => a.getAttribute("href") === focused);
    if (again) again.focus();
  });
}

let nextMs = 0;
async function refresh() {
  const wait = nextMs - Date.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  nextMs = Date.now() + PAUSE_MS;
  try {
    const [url, text] = await reach(location.pathname, { headers: { Accept: "text/html" } }, (r) =>
      r.text().then((body) => [r.url, body])
    );
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const block = fresh.getElementById("data");
    const theirs = block ? JSON.parse(block.textContent) : {};
    if (new URL(url).pathname === "/login") setContact("login");
    else if (!theirs.me) setContact("gone");
    else if (theirs.me !== data.me) setContact("other");
    else {
      data.csrf = theirs.csrf;
      const field = document.querySelector("#logout input[name=csrf]");
      if (field) field.value = theirs.csrf;
      swap(fresh);
      setContact("ok");
    }
    return true;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    setContact("gone");
    return false;
  }
}

// Log-out with unsent items asks: wait, or delete them.
const logout = document.getElementById("logout");
if (logout) {
  logout.addEventListener("submit", (event) => {
    const unsent = outbox.mine().length;
    sessionStorage.clear(); // drafts: nothing stays on a shared device
    if (!unsent) return;
    event.preventDefault();
    if (document.getElementById("ask")) return;
    const box = document.createElement("div");
    box.id = "ask";
    box.className = "problem";
    box.setAttribute("role", "alertdialog");
    const text = document.createElement("p");
    text.textContent = say("logout_ask", { n: unsent });
    const stay = document.createElement("button");
    stay.type = "button";
    stay.className = "main";
    stay.textContent = say("logout_wait");
    stay.onclick = () => box.remove();
    const drop = document.createElement("button");
    drop.type = "button";
    drop.textContent = say("logout_drop");
    drop.onclick = () => outbox.dropMine().then(() => logout.submit());
    box.append(text, stay, drop);
    logout.after(box);
    stay.focus();
  });
}

const syncNow = keepLive(refresh, () => outbox.kick());
setInterval(() => {
  if (document.visibilityState !== "hidden") syncNow();
}, REFRESH_MS);
outbox.load();
