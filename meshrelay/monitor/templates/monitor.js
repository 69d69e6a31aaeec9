// Fetches the page again and keeps telling its age. ES2019, no dependency.
// When the node is gone, the last known values stay, greyed, and their age grows.
const FETCH_EVERY_MS = 5000;
const FETCH_WAIT_MS = 4000;
const STALE_S = 60;

const title = document.title;
const icon = document.getElementById('icon');
const fresh = icon.getAttribute('href');
const note = document.getElementById('stale-note');
let stale = false;
let taken = performance.now() - 1000 * Number(document.body.dataset.ageS);
document.documentElement.classList.add('live');

function tick() {
  const age = Math.floor((performance.now() - taken) / 1000);
  document.getElementById('age').textContent = String(age);
  if (stale === age > STALE_S) return;
  stale = age > STALE_S;
  document.documentElement.classList.toggle('stale', stale);
  document.title = stale ? '⚠ ' + document.body.dataset.staleTitle + ' – ' + title : title;
  icon.setAttribute('href', stale ? icon.dataset.stale : fresh);
  note.textContent = stale ? note.dataset.text : '';
}

function take(text, asked) {
  const next = new DOMParser().parseFromString(text, 'text/html');
  const main = next.getElementById('main');
  if (!main || !next.body.dataset.ageS) throw new Error('not a monitor page');
  const open = document.querySelector('main details').open;
  // The link that has the focus is drawn anew: give it back.
  const held = document.activeElement;
  const focus = held && held.closest('main') ? held.tagName.toLowerCase() : null;
  document.getElementById('main').replaceWith(document.adoptNode(main));
  main.querySelector('details').open = open;
  if (focus && main.querySelector(focus)) main.querySelector(focus).focus();
  // Counted from the moment of asking: the answer may have been long on its way.
  taken = asked - 1000 * Number(next.body.dataset.ageS);
}

async function again() {
  const asked = performance.now();
  const gone = new AbortController();
  const timer = setTimeout(() => gone.abort(), FETCH_WAIT_MS);
  try {
    const answer = await fetch(location.pathname, { cache: 'no-store', signal: gone.signal });
    if (answer.ok) take(await answer.text(), asked);
  } catch (error) {
    // The node did not answer: the age that grows on the screen says so.
  } finally {
    clearTimeout(timer);
    tick();
    setTimeout(again, FETCH_EVERY_MS);
  }
}

setInterval(tick, 1000);
document.addEventListener('visibilitychange', tick);
setTimeout(again, FETCH_EVERY_MS);
