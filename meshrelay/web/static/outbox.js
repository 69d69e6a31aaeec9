// What was written and not yet answered 201. Nothing leaves before the node's receipt.

import { Unreachable, askAsMe, data, nowMs, uuid7 } from "./net.js";
import { drop, everything, followMirror, keep, mirrored } from "./store.js";

const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 10000;
// Answers that another try may change: time-out, locked, too many, and everything from 500 up.
const PASSING = [401, 408, 423, 425, 429];
// A half-written text is kept beside the unsent ones and is nobody's message yet.
const DRAFT_MS = 400;

// What only a photo needs; some browsers remember under its name that a module failed to come.
let failed = "";
export function lazily() {
  return import("./attach.js" + failed).catch((error) => {
    failed += "?";
    throw new Unreachable(error);
  });
}

export class Outbox {
  // onChange(): items changed. onSent(item, posted): the node's 201.
  constructor(onChange, onSent) {
    this.onChange = onChange;
    this.onSent = onSent;
    this.all = new Map();
    this.unsafe = false;
    this.backoffMs = BACKOFF_MS_MIN;
    this.timer = 0;
    this.busy = false;
    this.drafts = new Map();
    this.draftTimer = 0;
    followMirror((id, item) => this.followOtherTab(id, item));
    ["online", "pageshow", "focus"].forEach((name) => window.addEventListener(name, () => this.kick()));
  }

  // Mine, oldest first (a UUIDv7 sorts by time); another person's are never sent.
  mine() {
    return Array.from(this.all.values())
      .filter((item) => item.person === data.me)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  otherCount() {
    return this.all.size - this.mine().length;
  }

  async load() {
    mirrored().forEach((item) => this.take(item));
    if (this.all.size) this.onChange();
    (await everything()).forEach((item) => {
      if (!this.all.has(item.id)) this.take(item);
    });
    this.onChange();
    this.kick();
  }

  take(item) {
    // of a photo in another tab no more than its id
    if (!item.person) return;
    if (item.draft) this.drafts.set(item.id, item);
    else this.all.set(item.id, item);
  }

  // The half-written text of a room, "" if there is none.
  draft(room) {
    const kept = this.drafts.get(draftId(room));
    return kept ? kept.text : "";
  }

  keepDraft(room, text, now) {
    const id = draftId(room);
    this.drafts.set(id, { id, person: data.me, draft: true, text });
    clearTimeout(this.draftTimer);
    this.draftTimer = setTimeout(() => (text ? keep(this.drafts.get(id)) : drop(id)), text && !now ? DRAFT_MS : 0);
  }

  // Drawn by the caller's onChange before anything is stored or sent. `more`: what is answered, a photo or
  // file as attach.js prepares it.
  add(room, text, more) {
    const created = Math.floor(nowMs());
    const item = Object.assign({ id: uuid7(created), person: data.me, room, text, created_ms: created, problem: null }, more);
    this.all.set(item.id, item);
    this.onChange();
    this.save(item).then(() => this.kick());
    return item;
  }

  async save(item) {
    if (!(await keep(item))) {
      this.unsafe = true;
      this.onChange();
    }
  }

  async remove(id) {
    this.all.delete(id);
    await drop(id);
    this.onChange();
  }

  // A refused item goes again; under a new id if the old one is taken.
  async again(id) {
    const item = this.all.get(id);
    if (!item) return;
    if (item.problem && item.problem.code === "id_taken") {
      const { reply_to, file, content } = item;
      this.add(item.room, item.text, { reply_to, file, content });
      await this.remove(id);
      return;
    }
    const fresh = Object.assign({}, item, { problem: null });
    this.all.set(id, fresh);
    this.onChange();
    await this.save(fresh);
    this.kick();
  }

  // Everything of mine, drafts too: nothing stays on a shared device.
  async dropMine() {
    clearTimeout(this.draftTimer);
    for (const item of this.mine()) await this.remove(item.id);
    for (const item of Array.from(this.drafts.values())) {
      if (item.person === data.me) await drop(item.id);
    }
  }

  followOtherTab(id, item) {
    if (item) this.take(item);
    else this.all.delete(id);
    this.onChange();
  }

  // Try now: there is news that the node may be reachable.
  kick() {
    this.backoffMs = BACKOFF_MS_MIN;
    clearTimeout(this.timer);
    this.timer = 0;
    this.run();
  }

  async run() {
    if (this.busy) return;
    this.busy = true;
    try {
      let item = this.next();
      while (item && (await this.send(item))) item = this.next();
    } finally {
      this.busy = false;
    }
    if (this.next() && !this.timer) {
      const wait = this.backoffMs * (0.75 + Math.random() * 0.25);
      this.backoffMs = Math.min(BACKOFF_MS_MAX, this.backoffMs * 2);
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.run();
      }, wait);
    }
  }

  // A text does not wait for a photo.
  next() {
    const waiting = this.mine().filter((item) => !item.problem);
    return waiting.find((item) => !item.file) || waiting[0];
  }

  // True when the item is decided (201 or refused), false to wait and try again.
  async send(item) {
    let answer;
    try {
      answer = await (item.file ? (await lazily()).carry(item) : askAsMe("POST", "/api/messages", {
        id: item.id,
        kind: "talk",
        room: item.room,
        body: item.reply_to ? { text: item.text, reply_to: item.reply_to } : { text: item.text },
        created_ms: item.created_ms,
      }));
    } catch (error) {
      if (error instanceof Unreachable) return false;
      throw error;
    }
    const { status, json } = answer;
    if (status === 201 && json.message_id === item.id) {
      this.onSent(item, json);
      await this.remove(item.id);
      this.backoffMs = BACKOFF_MS_MIN;
      return true;
    }
    // 507: there is no room for it here, and somebody else's page may have some.
    if (status === 507 || (status >= 400 && status < 500 && PASSING.indexOf(status) < 0)) {
      const problem = { code: json.code, ja: json.ja, en: json.en, next_ja: json.next_ja, next_en: json.next_en };
      const refused = Object.assign({}, item, { problem });
      this.all.set(item.id, refused);
      this.onChange();
      await this.save(refused);
      return true;
    }
    return false;
  }
}

function draftId(room) {
  return "draft-" + data.me + "-" + room;
}
