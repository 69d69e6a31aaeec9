// What waits on this device to be sent: each leads to its room.

import { loaded, outbox } from "./page.js";
import { say } from "./net.js";

const list = document.getElementById("unsent");

function line(text, href) {
  const item = document.createElement("li");
  const part = document.createElement(href ? "a" : "p");
  part.textContent = text;
  if (href) part.href = href;
  item.append(part);
  return item;
}

function draw() {
  const items = outbox.mine().map((item) => {
    const mark = (item.problem ? "▲ " + say("trouble") : "▷ " + say("unsent")) + ": ";
    return line(mark + (item.text || (item.file && item.file.name) || ""), "/rooms/" + encodeURIComponent(item.room));
  });
  list.textContent = "";
  list.append(...(items.length ? items : [line(list.dataset.none)]));
}

const changed = outbox.onChange;
outbox.onChange = () => {
  changed();
  draw();
};
loaded.then(draw);
