// Home, rooms and who-has-read: the server draws, this swaps in what changed.

import { Unreachable, data, reach, say, setContact } from "./net.js";
import { Outbox } from "./outbox.js";
import { keepBanner } from "./banner.js";
import { keepLive } from "./live.js";
import { keepLock } from "./lock.js";

// A burst of news redraws once a second.
const PAUSE_MS = 1000;
// Ages in words grow without news.
const REFRESH_MS = 30000;

let drawBanner = () => {};
export const outbox = new Outbox(() => drawBanner(), () => {});
drawBanner = keepBanner(outbox, true);

export const loaded = outbox.load();

function swap(fresh) {
  document.querySelectorAll("[data-live]").forEach((old) => {
    const next = fresh.getElementById(old.id);
    if (!next || next.outerHTML === old.outerHTML) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const placed = document.importNode(next, true);
    const held = document.activeElement.closest("details[id]");
    const fold = held && old.contains(held) && placed.querySelector("#" + CSS.escape(held.id)) ? held : null;
    old.querySelectorAll("details[id]").forEach((each) => {
      const same = placed.querySelector("#" + CSS.escape(each.id));
      if (same) same.open = each.open;
    });
    old.replaceWith(placed);
    const again = focused && Array.from(placed.querySelectorAll("a")).find((a) => a.getAttribute("href") === focused);
    if (again) again.focus();
    if (fold) placed.querySelector("#" + CSS.escape(fold.id) + " summary").focus();
  });
}

// Paper has no folds.
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details.ward").forEach((ward) => {
    ward.open = true;
  });
});

let nextMs = 0;
async function refresh() {
  const wait = nextMs - Date.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  nextMs = Date.now() + PAUSE_MS;
  try {
    const [url, text] = await reach(data.page || location.pathname + location.search, { headers: { Accept: "text/html", "X-Background": "1" } }, (r) =>
      r.text().then((body) => [r.url, body])
    );
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const block = fresh.getElementById("data");
    const theirs = block ? JSON.parse(block.textContent) : {};
    const path = new URL(url).pathname;
    if (path === "/login") setContact("login");
    else if (path === "/lock") setContact("locked");
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

// Log-out and a switch of person with unsent items ask: wait, or delete them. Then nothing of mine stays here.
const logout = document.getElementById("logout");

async function leave(button) {
  await outbox.dropMine();
  if (button && button.name) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = button.name;
    field.value = button.value;
    logout.appendChild(field);
  }
  logout.submit();
}

function askToDrop(unsent, button) {
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
  stay.onclick = () => {
    box.remove();
    button.focus();
  };
  const gone = document.createElement("button");
  gone.type = "button";
  gone.textContent = say("logout_drop");
  gone.onclick = () => leave(button);
  box.onkeydown = (event) => {
    if (event.key === "Escape") stay.click();
  };
  box.append(text, stay, gone);
  logout.after(box);
  stay.focus();
}

if (logout) {
  logout.addEventListener("submit", async (event) => {
    event.preventDefault();
    await loaded;
    const unsent = outbox.mine().length;
    if (unsent) askToDrop(unsent, event.submitter);
    else leave(event.submitter);
  });
}

export const syncNow = keepLive(refresh, () => outbox.kick());
setInterval(() => {
  if (document.visibilityState !== "hidden") syncNow();
}, REFRESH_MS);
keepLock();
