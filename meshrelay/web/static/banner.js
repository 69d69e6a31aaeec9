// The line under the header: what stands between the person and the node, in words.

import { contactState, data, heardAt, onContact, say } from "./net.js";

export function keepBanner(outbox, countHere) {
  const box = document.getElementById("banner");

  function part(text, href, label) {
    const p = document.createElement("p");
    p.textContent = text + " ";
    if (href) {
      const a = document.createElement("a");
      a.href = href;
      a.textContent = label;
      p.appendChild(a);
    }
    return p;
  }

  function draw() {
    const state = contactState();
    const parts = [];
    document.body.classList.toggle("no-contact", state !== "ok");
    const login = "/login?next=" + encodeURIComponent(location.pathname.split("/who/")[0]) +
      "#s=" + encodeURIComponent(data.me || "");
    // A plain form keeps nothing, one with a draft does not send itself.
    const kept = document.querySelector("#write,#send") ? say("node_gone_kept") : document.querySelector("[data-draft]") ? say("node_gone_form") : "";
    if (state === "gone") parts.push(part("▲ " + say("node_gone", { time: heardAt() }) + " " + kept));
    if (state === "login") parts.push(part("▲ " + say(outbox.mine().length ? "pin_to_send" : "pin_needed"), login, say("login")));
    if (state === "revoked") parts.push(part("▲ " + say("revoked_here"), login, say("login")));
    if (state === "other") parts.push(part("▲ " + say("other_person"), location.pathname, say("reload")));
    if (outbox.unsafe) parts.push(part("▲ " + say("store_failed")));
    if (countHere) {
      const refused = outbox.mine().filter((item) => item.problem);
      const waiting = outbox.mine().length - refused.length;
      if (waiting) parts.push(part("▷ " + say("outbox_n", { n: waiting })));
      if (refused.length) {
        const room = "/rooms/" + encodeURIComponent(refused[0].room);
        parts.push(part("▲ " + say("outbox_refused", { n: refused.length }), room, say("open_room")));
      }
    }
    const others = outbox.otherCount();
    if (others) parts.push(part("▷ " + say("outbox_other", { n: others })));
    const text = parts.map((p) => p.textContent).join("");
    if (box.dataset.text !== text) {
      box.dataset.text = text;
      box.textContent = "";
      parts.forEach((p) => box.appendChild(p));
    }
    box.hidden = !parts.length;
  }

  onContact(draw);
  return draw;
}
