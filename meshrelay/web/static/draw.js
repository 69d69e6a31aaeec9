// From the API's messages to what is drawn: the same rules as meshrelay/web/views.py.
// A browser test compares both on the same messages.

import { data, say } from "./net.js";

const JST_MS = 9 * 3600 * 1000;
const DAYS = { ja: ["日", "月", "火", "水", "木", "金", "土"], en: ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] };

const ORDERS = ["mode", "instruction", "evacuation", "notice"];
const KINDS = ["talk", "file", "correction", "pin", "room", "board", "event"];
const REPLACED = ["correct", "withdraw", "false", "version"];
const ACTS = ["correct", "withdraw", "false", "pinned", "unpinned"];
const REASONS = ["fork", "revoked", "staff_revoked", "binding_conflict"];
const PAPERS = ["board", "event"];
const SOURCES = ["walk_in", "paper", "phone"];

// Strip bidi, control, private-use characters and lone surrogates; two joiners stay.
export function clean(text, lines) {
  const kept = text
    .replace(/\r\n?/g, "\n")
    .replace(/[\u2028\u2029]/g, "\n")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/gu, (c) => ("\n\t\u200c\u200d".indexOf(c) >= 0 ? c : ""));
  return lines ? kept : kept.split(/\s+/).filter(Boolean).join(" ");
}

export function cleanName(text) {
  const chars = Array.from(clean(text, false));
  return chars.length > 80 ? chars.slice(0, 79).join("") + "…" : chars.join("");
}

const two = (n) => String(n).padStart(2, "0");
function cityTime(ms) {
  return new Date(ms + JST_MS);
}

export function hourMinute(ms) {
  const at = cityTime(ms);
  return two(at.getUTCHours()) + ":" + two(at.getUTCMinutes());
}

export function dayWords(ms) {
  const at = cityTime(ms);
  const day = DAYS[data.lang][at.getUTCDay()];
  const month = at.getUTCMonth() + 1;
  if (data.lang === "ja") return month + "月" + at.getUTCDate() + "日（" + day + "）";
  return day + " " + at.getUTCFullYear() + "-" + two(month) + "-" + two(at.getUTCDate());
}

export function iso(ms) {
  return cityTime(ms).toISOString().slice(0, 19) + "+09:00";
}

const isPlain = (message) => message.unsigned || has(KINDS, message.kind);
const has = (list, item) => list.indexOf(item) >= 0;

export function textOf(message) {
  const body = message.body;
  if ((!isPlain(message) && !has(ORDERS, message.kind)) || typeof body.text !== "string") return null;
  if (actOn(message) === "withdraw") return say("withdrawn");
  if (message.kind === "room") {
    return say(body.closed ? "room_ended" : "room_said", { name: cleanName(body.text), n: body.members === undefined ? "?" : body.members });
  }
  let text = has(PAPERS, message.kind) ? "" : body.text;
  if ((message.kind === "correction" || message.kind === "pin") && body.act !== "correct") {
    text = has(ACTS, body.act) ? say("act_" + body.act) : "";
  }
  // Other content that the author signed under the same id stands below it.
  const shown = [text].concat(body.others || []).map((each) => clean(each, true)).join("\n―――\n");
  return body.reason ? shown + "\n（" + clean(body.reason, false) + "）" : shown;
}

// What became of a message.
function actOn(message) {
  const act = message.body.replaced && message.body.replaced.act;
  return has(REPLACED, act) ? act : "";
}

function pathOf(room, author, id) {
  return "/rooms/" + [room, "who", author, id].map((part) => encodeURIComponent(part)).join("/");
}

function quoteOf(message) {
  const quote = message.body.quote;
  if (!quote) return null;
  const href = pathOf(message.room, quote.author, quote.message_id);
  if (quote.text === null) return { href, name: "", text: say("quote_missing") };
  const chars = Array.from(clean(quote.text, false));
  const text = chars.length > 60 ? chars.slice(0, 59).join("") + "…" : chars.join("");
  return { href, name: cleanName(quote.name), text: text || say("withdrawn") };
}

// desk.md's table: place and people are two facts.
export function marksOf(message) {
  const marks = [];
  const mark = (key, values) => marks.push({ key, shape: data.shapes[key], text: say(key, values || {}) });
  if (message.trouble !== null && !has(REASONS, message.trouble)) mark("trouble");
  if (message.place === "archive") mark("archive");
  if (message.wards_n >= 1 && (message.place === "wards" || message.place === "archive")) {
    mark("wards", { n: message.wards_n });
  }
  if (!marks.length || message.place === "node") mark("node");
  // only the receipt has come yet
  if (message.read_n === null) return marks;
  mark("read", { n: message.read_n, m: message.members_n === null ? "?" : message.members_n });
  return marks;
}

export function flagsOf(message) {
  const flags = [];
  const act = actOn(message);
  if (has(ORDERS, message.kind)) flags.push(say("kind_" + message.kind));
  if (message.kind === "correction" && message.body.act === "correct") flags.push(say("act_correct"));
  if (act) flags.push(say("replaced_" + act));
  if (message.body.pinned) flags.push(say("pinned"));
  if (message.unsigned) flags.push(say("unsigned", { name: cleanName(message.taken_by) }));
  if (message.late) flags.push(say("late"));
  if (message.clock_uncertain) flags.push(say("clock"));
  if (message.expiry === "expired" || (message.expiry === "unsure" && !isPlain(message))) flags.push(say(message.expiry));
  if (has(REASONS, message.trouble)) flags.push(say(message.trouble));
  else if (message.trouble !== null && !message.mine) flags.push(say("trouble"));
  return flags;
}

// Of a note without an author's signature: where it came from, and whose words they are said to be.
function authorWords(message) {
  const name = cleanName(message.author_name);
  if (!message.unsigned) return name;
  if (!has(SOURCES, message.unsigned)) return say("unsigned_short");
  return (say("source_" + message.unsigned) + " " + name).trim();
}

export function keyOf(message) {
  return message.author + "/" + message.message_id;
}

function fileOf(message) {
  if (has(PAPERS, message.kind)) {
    const href = "/" + message.kind + "s/" + encodeURIComponent(message.author) + "/" + message.message_id;
    return { href, name: say(message.kind) + " " + cleanName(String(message.body.text)) };
  }
  const file = message.kind === "file" && message.body.file;
  return file && {
    href: "/rooms/" + encodeURIComponent(message.room) + "/files#f" + file.blob.slice(0, 16),
    name: cleanName(file.name),
    thumbnail: file.thumbnail && "/api/blobs/" + file.blob + "/thumbnail",
  };
}

export function bubblesOf(messages, firstUnread) {
  let lastDay = "";
  let lastAuthor = "";
  return messages.map((message) => {
    const key = keyOf(message);
    const day = dayWords(message.created_ms);
    const newDay = day !== lastDay;
    const text = textOf(message);
    const first = key === firstUnread;
    const mine = message.mine && !message.unsigned;
    const bubble = {
      key,
      mine,
      follows: message.author === lastAuthor && message.kind !== "room" && !newDay && !first,
      name: authorWords(message),
      ward: cleanName(data.wards[message.author_ward] || message.author_ward),
      text: text === null ? say("unknown_kind") : text,
      known: text !== null,
      time: hourMinute(message.created_ms),
      iso: iso(message.created_ms),
      flags: flagsOf(message),
      marks: mine ? marksOf(message) : [],
      href: pathOf(message.room, message.author, message.message_id),
      day: newDay ? day : null,
      firstUnread: first,
      file: fileOf(message),
      quote: quoteOf(message),
      struck: has(["correct", "false"], actOn(message)),
      expired: message.expiry === "expired",
      ofRoom: message.kind === "room",
    };
    lastDay = day;
    lastAuthor = message.unsigned || message.kind === "room" ? "" : message.author;
    return bubble;
  });
}
