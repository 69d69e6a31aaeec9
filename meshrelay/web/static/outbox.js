// What was written and not yet answered 201. Nothing leaves before the node's receipt.
// Kept in IndexedDB and, as a mirror, in localStorage; either one alone is enough.

import { Unreachable, askAsMe, data, nowMs, uuid7 } from "./net.js";

const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 10000;
const PREFIX = "mr-out-" + data.network + "-";
const DB = "mr-" + data.network;
const STORE = "outbox";
// Answers that another try may change: time-out, too many, and everything from 500 up.
const PASSING = [401, 408, 425, 429];

function openDb() {
  return new Promise((resolve) => {
    let request;
    try {
      request = indexedDB.open(DB, 1);
    } catch (error) {
      resolve(null); // private windows of some browsers
      return;
    }
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
    request.onblocked = () => resolve(null);
  });
}

function inDb(db, mode, work) {
  if (!db) return Promise.resolve(null);
  return new Promise((resolve) => {
    try {
      const transaction = db.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result === undefined ? true : request.result);
      transaction.onerror = () => resolve(null);
      transaction.onabort = () => resolve(null);
    } catch (error) {
      resolve(null);
    }
  });
}

function mirror(id, item) {
  try {
    if (item) localStorage.setItem(PREFIX + id, JSON.stringify(item));
    else localStorage.removeItem(PREFIX + id);
    return true;
  } catch (error) {
    return false;
  }
}

function mirrored() {
  const found = [];
  try {
    for (let i = 0; i < localStorage.length; i += 1) {
      const key = localStorage.key(i);
      if (key.indexOf(PREFIX) === 0) found.push(JSON.parse(localStorage.getItem(key)));
    }
  } catch (error) {
    return found;
  }
  return found;
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
    this.db = openDb();
    window.addEventListener("storage", (event) => {
      if (!event.key || event.key.indexOf(PREFIX) === 0) this.followOtherTab(event);
    });
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
    mirrored().forEach((item) => this.all.set(item.id, item));
    if (this.all.size) this.onChange();
    const db = await this.db;
    const kept = await inDb(db, "readonly", (store) => store.getAll());
    (Array.isArray(kept) ? kept : []).forEach((item) => {
      if (!this.all.has(item.id)) this.all.set(item.id, item);
    });
    this.onChange();
    this.kick();
  }

  // Drawn by the caller's onChange before anything is stored or sent.
  add(room, text) {
    const created = Math.floor(nowMs());
    const item = { id: uuid7(created), person: data.me, room, text, created_ms: created, problem: null };
    this.all.set(item.id, item);
    this.onChange();
    this.save(item).then(() => this.kick());
    return item;
  }

  async save(item) {
    const first = mirror(item.id, item);
    const second = await inDb(await this.db, "readwrite", (store) => store.put(item));
    if (!first && !second) {
      this.unsafe = true;
      this.onChange();
    }
  }

  async remove(id) {
    this.all.delete(id);
    mirror(id, null);
    await inDb(await this.db, "readwrite", (store) => store.delete(id));
    this.onChange();
  }

  // A refused item goes again; under a new id if the old one is taken.
  async again(id) {
    const item = this.all.get(id);
    if (!item) return;
    if (item.problem && item.problem.code === "id_taken") {
      this.add(item.room, item.text);
      await this.remove(id);
      return;
    }
    const fresh = Object.assign({}, item, { problem: null });
    this.all.set(id, fresh);
    this.onChange();
    await this.save(fresh);
    this.kick();
  }

  async dropMine() {
    for (const item of this.mine()) await this.remove(item.id);
  }

  followOtherTab(event) {
    if (event.key && event.newValue === null) {
      this.all.delete(event.key.slice(PREFIX.length));
    } else {
      mirrored().forEach((item) => this.all.set(item.id, item));
    }
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

  next() {
    return this.mine().find((item) => !item.problem);
  }

  // True when the item is decided (201 or refused), false to wait and try again.
  async send(item) {
    let answer;
    try {
      answer = await askAsMe("POST", "/api/messages", {
        id: item.id,
        kind: "talk",
        room: item.room,
        body: { text: item.text },
        created_ms: item.created_ms,
      });
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
    if (status >= 400 && status < 500 && PASSING.indexOf(status) < 0) {
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
