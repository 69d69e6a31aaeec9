// A refusal in words, where the page keeps its problem box.

import { data } from "./net.js";

const holder = document.getElementById("problem");

export function show(sentence, next) {
  holder.textContent = "";
  const box = document.createElement("div");
  box.className = "problem";
  box.setAttribute("role", "alert");
  const strong = document.createElement("strong");
  strong.textContent = "▲ " + sentence;
  const first = document.createElement("p");
  first.appendChild(strong);
  const second = document.createElement("p");
  second.textContent = next || "";
  box.append(first, second);
  holder.appendChild(box);
  holder.scrollIntoView({ block: "nearest" }); // its margin keeps it from under the header
}

// Nothing of a PIN or a chosen file is kept, so the words of the outbox would be untrue here.
export function showGone() {
  show(holder.dataset.gone, holder.dataset.next);
}

export function hide() {
  holder.textContent = "";
}

export function sentences(problem) {
  return data.lang === "ja" ? [problem.ja, problem.next_ja] : [problem.en, problem.next_en];
}
