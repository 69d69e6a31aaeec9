// A photo or file on its way to the node: made small, its position taken out, carried up.
// Loaded when somebody chooses one, or when one waits in the outbox.

import { Unreachable, askAsMe, data, nowMs, say, setContact, uuid7 } from "./net.js";

const PX_MAX = 1600;
const PX_MIN = 200;
const PHOTO_BYTES_MAX = 250000;
const FILE_BYTES_MAX = 8 * 1024 * 1024;
const QUALITIES = [0.85, 0.7, 0.55, 0.4];
const THUMBNAIL_PX = 144;
const THUMBNAIL_BYTES_MAX = 8192;
const THUMBNAIL_QUALITIES = [0.7, 0.5, 0.3];
const NAME_CHARS_MAX = 120;
const SHOWN_CHARS_MAX = 20;
// What a canvas may draw anew; of a GIF only the first picture would be left.
const DRAWN = /^image\/(jpeg|png|webp|heic|heif|bmp|avif)$/;
// A camera's metadata stand within these; a segment of a JPEG has 64 KiB at most.
const HEAD_BYTES = 256 * 1024;
const ORIENTATION = 0x0112;
const GPS = 0x8825;
const LATITUDE = 2;
const LONGITUDE = 4;
const STALL_MS_MAX = 30000;

// ---- Exif: Exif 2.3, 4.6 --------------------------------------------------------

// The segment of a JPEG that holds Exif, null without one.
function exifOf(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda; ) {
    const length = 2 + bytes[at + 2] * 256 + bytes[at + 3];
    const segment = bytes.slice(at, at + length);
    if (bytes[at + 1] === 0xe1 && String.fromCharCode.apply(null, segment.subarray(4, 10)) === "Exif\0\0") {
      return segment.length === length ? segment : null;
    }
    at += length;
  }
  return null;
}

// Where a tag's value stands in a directory of Exif's TIFF, 0 if it is not there.
function valueAt(tiff, directory, tag, little) {
  const count = tiff.getUint16(directory, little);
  for (let i = 0; i < count; i += 1) {
    const entry = directory + 2 + 12 * i;
    if (tiff.getUint16(entry, little) === tag) return entry + 8;
  }
  return 0;
}

// {turnAt, position} of an Exif segment; broken Exif has neither.
function readExif(segment) {
  const tiff = new DataView(segment.buffer, segment.byteOffset + 10, segment.length - 10);
  try {
    const little = tiff.getUint16(0) === 0x4949;
    const first = tiff.getUint32(4, little);
    const turnAt = valueAt(tiff, first, ORIENTATION, little);
    const gpsAt = valueAt(tiff, first, GPS, little);
    const gps = gpsAt && tiff.getUint32(gpsAt, little);
    const position = Boolean(gps && valueAt(tiff, gps, LATITUDE, little) && valueAt(tiff, gps, LONGITUDE, little));
    return { tiff, little, turnAt, position };
  } catch (error) {
    if (error instanceof RangeError) return { tiff, little: false, turnAt: 0, position: false };
    throw error;
  }
}

// The picture is drawn upright: what told how to turn it would turn it twice.
function withExif(jpeg, segment) {
  const { tiff, little, turnAt } = readExif(segment);
  if (turnAt) tiff.setUint16(turnAt, 1, little);
  return new Blob([jpeg.slice(0, 2), segment, jpeg.slice(2)], { type: "image/jpeg" });
}

// ---- drawing --------------------------------------------------------------------

// The content security policy lets no blob: be drawn; data: it does. Orientation is the browser's.
async function pictureOf(file) {
  const picture = new Image();
  picture.src = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => resolve("");
    reader.readAsDataURL(file);
  });
  try {
    await picture.decode();
  } catch (error) {
    return null; // no picture, or none that this browser knows
  }
  return picture.naturalWidth ? picture : null;
}

function drawn(picture, px) {
  const scale = Math.min(1, px / Math.max(picture.naturalWidth, picture.naturalHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(picture.naturalHeight * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

const blobOf = (canvas, type, quality) => new Promise((resolve) => canvas.toBlob(resolve, type, quality));

// A JPEG of at most so many bytes, or a PNG that is smaller; null if the canvas gives none.
async function shrunk(picture, bytesMax, pngToo) {
  for (let px = PX_MAX; px > PX_MIN; px *= 0.75) {
    const canvas = drawn(picture, px);
    for (const quality of QUALITIES) {
      const jpeg = await blobOf(canvas, "image/jpeg", quality);
      if (!jpeg) return null;
      if (jpeg.size > bytesMax) continue;
      const png = pngToo ? await blobOf(canvas, "image/png") : null;
      return png && png.size <= jpeg.size ? png : jpeg;
    }
  }
  return null;
}

// A JPEG in base64.
function thumbnailOf(picture) {
  const canvas = drawn(picture, THUMBNAIL_PX);
  const made = THUMBNAIL_QUALITIES.map((quality) => canvas.toDataURL("image/jpeg", quality).split(",")[1]);
  return made.find((text) => text && text.length * 0.75 <= THUMBNAIL_BYTES_MAX) || "";
}

// The same under the name that the node knows.
const ALIASES = { "audio/x-m4a": "audio/mp4", "audio/m4a": "audio/mp4", "audio/x-wav": "audio/wav" };
const ENDINGS = { "image/jpeg": ".jpg", "image/png": ".png" };

function named(name, type) {
  const ending = ENDINGS[type];
  const stem = ending ? name.replace(/\.\w{1,5}$/, "") + ending : name;
  return stem.slice(-NAME_CHARS_MAX);
}

// {file, content, position}: what the outbox keeps beside a text, and whether the photo tells where
// it was taken; null if it is too large. Not a picture, or none that can be drawn: as it is.
export async function prepare(file, keep) {
  const picture = DRAWN.test(file.type) ? await pictureOf(file) : null;
  const exif = picture && exifOf(new Uint8Array(await new Response(file.slice(0, HEAD_BYTES)).arrayBuffer()));
  const position = Boolean(exif && readExif(exif).position);
  const kept = position && keep;
  let content = picture && (await shrunk(picture, PHOTO_BYTES_MAX - (kept ? exif.length : 0), file.type === "image/png" && !kept));
  if (content && kept) content = withExif(content, exif);
  if (!content) content = file;
  if (content.size > FILE_BYTES_MAX) return null;
  const said = content.type.split(";")[0];
  const type = ALIASES[said] || said;
  const name = content === file ? named(file.name, "") : named(file.name, type);
  const thumbnail = picture ? thumbnailOf(picture) : "";
  return { file: { name, type, thumbnail, keep: kept }, content, position };
}

// ---- carrying it up -------------------------------------------------------------

// fetch() tells nothing of what went up; XMLHttpRequest does.
function put(item, bar) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let stalled = 0;
    const moved = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => request.abort(), STALL_MS_MAX);
    };
    request.open("POST", "/api/blobs" + (item.file.keep ? "?keep_position=1" : ""));
    request.setRequestHeader("Content-Type", item.file.type || "application/octet-stream");
    request.setRequestHeader("X-CSRF-Token", data.csrf);
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      moved();
      bar.value = event.lengthComputable ? (bar.max * event.loaded) / event.total : 0;
    };
    request.onloadend = () => {
      clearTimeout(stalled);
      // No answer, or a captive portal's page.
      if (request.response) resolve({ status: request.status, json: request.response });
      else reject(new Unreachable("upload"));
    };
    moved();
    request.send(item.content);
  });
}

// Like askAsMe: learns who is logged in, and the token of a newer log-in.
async function upload(item, bar) {
  try {
    const answer = await put(item, bar);
    if ([401, 403, 423].indexOf(answer.status) < 0) return answer;
    const known = await askAsMe("POST", "/api/input");
    return known.status === 204 ? await put(item, bar) : known;
  } catch (error) {
    if (error instanceof Unreachable) setContact("gone");
    throw error;
  }
}

function post(item) {
  const { blob, name, type, thumbnail } = item.file;
  const body = { blob, name, type, thumbnail, text: item.text, reply_to: item.reply_to };
  const { id, room, created_ms } = item;
  return askAsMe("POST", "/api/messages", { id, kind: "file", room, body, created_ms });
}

function barIn(bubble) {
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", say("unsent"));
  if (bubble) bubble.append(bar);
  return bar;
}

// What was chosen while this module could not be loaded. False if it is too large.
async function prepareLate(item) {
  const { name, type } = item.file;
  const prepared = await prepare(new File([item.content], name, { type }), false);
  return Boolean(prepared) && Object.assign(item, { file: prepared.file, content: prepared.content });
}

// The file, then the message that names it: what the node answered. Again after a lost answer: it
// is the same file and the same message. Another node does not have the file: up again.
export async function carry(item, given) {
  const bar = given || barIn(document.querySelector('[data-unsent="' + item.id + '"]'));
  try {
    if (item.file.thumbnail === undefined && !(await prepareLate(item))) {
      const words = say("attach_large");
      return { status: 413, json: { code: "file_too_large", ja: words, en: words, next_ja: "", next_en: "" } };
    }
    if (item.file.blob) {
      const answer = await post(item);
      if (answer.json.code !== "no_file") return answer;
    }
    const answer = await upload(item, bar);
    // A full disk takes text all the same: told as a refusal, or nothing behind it would go.
    if (answer.status === 507) return { status: 413, json: answer.json };
    if (answer.status !== 201) return answer;
    item.file.blob = answer.json.blob;
    return await post(item);
  } finally {
    if (!given) bar.remove();
  }
}

// What Outbox.add takes besides the text, with an id for a first try without the outbox.
export function itemOf(prepared, room, text) {
  const created = Math.floor(nowMs());
  const { file, content } = prepared;
  return { id: uuid7(created), person: data.me, room, text, created_ms: created, problem: null, file, content };
}

// ---- the strip above the box of a room --------------------------------------------

if (document.getElementById("write")) {
  const styles = document.createElement("link");
  styles.rel = "stylesheet";
  styles.href = new URL("files.css", document.querySelector("script[type=module]").src);
  document.head.append(styles);
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className || "";
  return made;
}

function button(text, call) {
  const made = element("button", text);
  made.type = "button";
  made.onclick = call;
  return made;
}

// The strip must leave room for the box below it.
function shortened(name) {
  const chars = Array.from(name);
  return chars.length > SHOWN_CHARS_MAX ? chars.slice(0, SHOWN_CHARS_MAX / 2).join("") + "…" + chars.slice(-SHOWN_CHARS_MAX / 2).join("") : name;
}

function sizeWords(size) {
  return size < 1e6 ? Math.max(1, Math.floor(size / 1000)) + " kB" : (size / 1e6).toFixed(1) + " MB";
}

// A box to tick, where the photo says where it was taken.
export function positionBox(ticked, call) {
  const label = element("label", "", "tick");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = ticked;
  box.onchange = () => call(box.checked);
  label.append(box, " " + say("attach_position"));
  return label;
}

// Shows the photo above the box; hold() gets what goes with the text. True when it is ready.
export async function offer(form, chosen, hold, keep) {
  const tray = element("div", "", "tray");
  tray.setAttribute("role", "status");
  tray.append(element("p", "▷ " + shortened(chosen.name)));
  document.querySelectorAll(".tray").forEach((old) => old.remove());
  form.before(tray);
  const prepared = await prepare(chosen, keep);
  if (!tray.isConnected) return false; // another one was chosen
  tray.textContent = "";
  if (!prepared) {
    hold(null);
    tray.className = "tray problem";
    tray.append(element("p", "▲ " + say("attach_large")));
    form.before(tray);
    return false;
  }
  const { file, content, position } = prepared;
  const words = element("p", shortened(file.name) + " ");
  words.append(element("small", sizeWords(content.size)));
  if (file.thumbnail) {
    const picture = document.createElement("img");
    picture.alt = "";
    picture.src = "data:image/jpeg;base64," + file.thumbnail;
    tray.append(picture);
  }
  tray.append(words, button(say("remove"), () => hold(null)));
  if (position) tray.append(positionBox(file.keep, (ticked) => hold(offer(form, chosen, hold, ticked))));
  hold({ file, content });
  return true;
}
