// Faults of a page's layout, as sentences; [] when there are none. Evaluated in the page.
() => {
  document.querySelectorAll("details").forEach((each) => {
    each.open = true; // what is folded is judged too
  });
  const faults = new Map();
  const GLYPH = 0.38; // of the font size, up and down from the middle of a line: ink, not line box
  const TARGET_PX = 48;
  const INLINE_PX = 24; // WCAG 2.5.8
  const name = (e) => {
    const classes = e.className && e.className.trim ? "." + e.className.trim().split(/\s+/).join(".") : "";
    return e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (classes === "." ? "" : classes);
  };
  const words = (node) => node.textContent.trim().replace(/\s+/g, " ").slice(0, 24);
  const say = (kind, e, more) => {
    const line = kind + ": " + name(e) + (more ? " " + more : "");
    faults.set(line, (faults.get(line) || 0) + 1);
  };
  const seen = (e) => e.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true });
  // Words for screen readers only lie in a box of one pixel; a link before the page waits for focus.
  const hidden = (e) => {
    for (let at = e; at && at !== document.body; at = at.parentElement) {
      const { position, overflow, left } = getComputedStyle(at);
      if (position === "absolute" && ((overflow === "hidden" && at.offsetWidth <= 1) || parseFloat(left) < -500)) return true;
    }
    return false;
  };
  const clips = (style, axis) => /hidden|clip/.test(style["overflow" + axis]);

  const root = document.documentElement;
  if (root.scrollWidth > window.innerWidth) say("sideways", root, root.scrollWidth + " > " + window.innerWidth);

  const all = Array.from(document.body.querySelectorAll("*")).filter((e) => seen(e) && !hidden(e));
  all.forEach((e) => {
    const style = getComputedStyle(e);
    if (/INPUT|SELECT|OPTION|TEXTAREA/.test(e.tagName)) return;
    if (/auto|scroll/.test(style.overflowX) && e.scrollWidth > e.clientWidth && e.clientWidth && !e.matches("[tabindex='0']")) {
      say("sideways", e, e.scrollWidth + " > " + e.clientWidth);
    }
  });

  // The layer that a text lies on: what is fixed, sticks or scrolls by itself lies above or below
  // the rest on purpose.
  const layer = (e) => {
    for (let at = e; at && at !== document.body; at = at.parentElement) {
      const { position, overflowY } = getComputedStyle(at);
      if (/fixed|sticky/.test(position) || /auto|scroll/.test(overflowY) || at.matches(".pill")) return at;
    }
    return document.body;
  };

  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || /SCRIPT|NOSCRIPT|STYLE|OPTION|TEXTAREA|TITLE/.test(parent.tagName)) continue;
    if (!seen(parent) || hidden(parent)) continue;
    const half = GLYPH * parseFloat(getComputedStyle(parent).fontSize);
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = Array.from(range.getClientRects()).filter((r) => r.width > 1);
    const edges = [];
    let layered = null;
    for (let at = parent; at && at !== document.documentElement; at = at.parentElement) {
      const style = getComputedStyle(at);
      // What may scroll shows the rest when it is scrolled: nothing beyond it is lost.
      if (/auto|scroll/.test(style.overflowY) || /fixed|sticky/.test(style.position)) {
        layered = at;
        break;
      }
      const box = at.getBoundingClientRect();
      const shown = getComputedStyle(at).display;
      if (shown !== "inline" && shown !== "contents") {
        edges.push({ at, box, own: !edges.length, x: clips(style, "X") && style.textOverflow !== "ellipsis", y: clips(style, "Y"), ellipsis: style.textOverflow === "ellipsis" && clips(style, "X") });
      }
    }
    const cut = edges.some((edge) => edge.ellipsis);
    boxes.forEach((r) => {
      const middle = (r.top + r.bottom) / 2;
      const ink = { left: r.left, right: r.right, top: middle - half, bottom: middle + half, node, parent, layer: layer(parent) };
      edges.forEach((edge) => {
        const wide = ink.left < edge.box.left - 1 || ink.right > edge.box.right + 1;
        const high = ink.top < edge.box.top - 1 || ink.bottom > edge.box.bottom + 1;
        if ((edge.x && wide && !cut) || (edge.y && high)) say("clipped", edge.at, words(node));
        else if (edge.own && ((wide && !cut) || high)) say("spilled", edge.at, words(node));
      });
      if (!cut && (ink.left < -1 || ink.right > window.innerWidth + 1)) say("off the screen", parent, words(node));
      if (cut) {
        const edge = edges.find((each) => each.ellipsis).box;
        ink.right = Math.min(ink.right, edge.right);
      }
      if (ink.right > ink.left) lines.push(ink);
    });
  }

  const controls = all
    .filter((e) => e.matches("button, input:not([type=hidden]), select, textarea, summary"))
    .map((e) => Object.assign({ node: e, parent: e, control: true, layer: layer(e) }, edgesOf(e)));
  function edgesOf(e) {
    const r = e.getBoundingClientRect();
    return { left: r.left, right: r.right, top: r.top, bottom: r.bottom };
  }
  const boxes = lines.concat(controls).sort((a, b) => a.top - b.top);
  boxes.forEach((a, at) => {
    for (let next = at + 1; next < boxes.length && boxes[next].top < a.bottom - 1; next += 1) {
      const b = boxes[next];
      if (a.node === b.node || a.layer !== b.layer || a.node.contains(b.node) || b.node.contains(a.node)) continue;
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - b.top;
      if (across > 1.5 && down > 1.5) say("overlapping", a.parent, (words(a.node) || "control") + " / " + (words(b.node) || name(b.parent)));
    }
  });

  all.filter((e) => e.matches("a[href], button, input:not([type=hidden]), select, textarea, summary")).forEach((e) => {
    const target = /radio|checkbox/.test(e.type) ? e.closest("label") || e : e;
    const r = target.getBoundingClientRect();
    const after = getComputedStyle(e, "::after");
    const placed = after.content !== "none" && after.position === "absolute";
    const [up, down, left, right] = placed ? [after.top, after.bottom, after.left, after.right].map((px) => Math.max(0, -parseFloat(px))) : [0, 0, 0, 0];
    const width = r.width + left + right;
    const height = r.height + up + down;
    const inline = e.tagName === "A" && (getComputedStyle(e).display === "inline" || placed);
    const least = inline ? INLINE_PX : TARGET_PX;
    if (width < least - 0.5 || height < least - 0.5) say("small target", e, Math.round(width) + "x" + Math.round(height) + " " + words(e));
  });

  // Scrolled to its end, nothing of the page stays under what is fixed.
  const scrolled = window.scrollY;
  window.scrollTo(0, root.scrollHeight);
  const bars = all.filter((e) => getComputedStyle(e).position === "fixed").map((e) => [e, e.getBoundingClientRect()]);
  const main = document.querySelector("main");
  if (main && bars.length) {
    const shift = window.scrollY - scrolled;
    const last = lines.filter((l) => l.layer === document.body).sort((a, b) => b.bottom - a.bottom)[0];
    bars.forEach(([bar, r]) => {
      if (last && last.bottom - shift > r.top + 1 && last.top - shift < r.bottom) say("covered", bar, words(last.node));
    });
  }
  window.scrollTo(0, scrolled);
  return Array.from(faults, ([line, n]) => (n > 1 ? line + " ×" + n : line));
}
